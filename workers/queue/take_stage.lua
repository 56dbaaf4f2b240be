-- Take the oldest stage of the project whose last turn is longest ago, and its lease, in one step.
-- KEYS: 1 leases, 2 lease holders
-- ARGV: 1 owner, 2 seconds of the lease, then every queue that the owner serves: its name, the key of its line, and the
--       prefix of the keys of its projects' stages
-- Returns {job, queue}, or false if nothing waits. A stage whose lease is held waits on.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local turns = {}
for at = 3, #ARGV, 3 do
  local line = redis.call('ZRANGE', ARGV[at + 1], 0, -1, 'WITHSCORES')
  for i = 1, #line, 2 do
    table.insert(turns, {
      queue = ARGV[at], line = ARGV[at + 1], project = line[i], last = tonumber(line[i + 1]), jobs = ARGV[at + 2] .. line[i]
    })
  end
end
table.sort(turns, function(a, b) return a.last < b.last end)
for _, turn in ipairs(turns) do
  for _, job in ipairs(redis.call('ZRANGE', turn.jobs, 0, 99)) do
    local member = job .. '/' .. turn.queue
    local expiry = redis.call('ZSCORE', KEYS[1], member)
    local held = expiry and tonumber(expiry) > now and redis.call('HEXISTS', KEYS[2], member) == 1
    if not held then
      redis.call('ZREM', turn.jobs, job)
      redis.call('ZADD', KEYS[1], now + ARGV[2], member)
      redis.call('HSET', KEYS[2], member, ARGV[1])
      redis.call('ZADD', turn.line, now, turn.project)
      if redis.call('EXISTS', turn.jobs) == 0 then redis.call('ZREM', turn.line, turn.project) end
      return {job, turn.queue}
    end
  end
end
return false
