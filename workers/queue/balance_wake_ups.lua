-- Compare what waits in every queue with its wake-ups: send those that are missing, and remove those that nothing waits for.
-- KEYS: none
-- ARGV: 1 wake-up, 2 most that are sent for a queue, then every queue: its name, which is the key of its wake-ups, the key of
--       its line, and the prefix of the keys of its projects' stages
-- Returns nothing.
for at = 3, #ARGV, 3 do
  local waiting = 0
  for _, project in ipairs(redis.call('ZRANGE', ARGV[at + 1], 0, -1)) do
    local jobs = redis.call('ZCARD', ARGV[at + 2] .. project)
    if jobs == 0 then redis.call('ZREM', ARGV[at + 1], project) end
    waiting = waiting + jobs
  end
  local wake_ups = redis.call('LLEN', ARGV[at])
  if wake_ups > waiting then redis.call('LTRIM', ARGV[at], 0, waiting - 1) end
  if waiting == 0 then redis.call('DEL', ARGV[at]) end
  for _ = 1, math.min(waiting - wake_ups, tonumber(ARGV[2])) do redis.call('LPUSH', ARGV[at], ARGV[1]) end
end
