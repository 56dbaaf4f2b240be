-- Take the oldest job of the project whose last turn is longest ago, and put it into the lease table in the same step,
-- so that it is recovered if its worker is lost before it holds the lease.
-- KEYS: 1 turns of the queue, 2 clock of the queue, 3 leases
-- ARGV: 1 prefix of the keys of waiting jobs, 2 seconds of a lease, 3 queue
-- Returns the job, or false if none waits.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
while true do
  local first = redis.call('ZRANGE', KEYS[1], 0, 0)
  if #first == 0 then return false end
  local job = redis.call('LPOP', ARGV[1] .. first[1])
  if job then
    redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), first[1])
    redis.call('ZADD', KEYS[3], now + ARGV[2], job .. '/' .. ARGV[3])
    return job
  end
  redis.call('ZREM', KEYS[1], first[1])
end
