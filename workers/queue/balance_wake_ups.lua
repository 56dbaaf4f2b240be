-- Compare what waits in every queue with its wake-ups, and remove wake-ups that nothing waits for.
-- KEYS: none
-- ARGV: every queue: its name, which is the key of its wake-ups, the key of its line, and the prefix of the keys of its
--       projects' stages
-- Returns how many wake-ups each queue lacks.
local lacking = {}
for at = 1, #ARGV, 3 do
  local waiting = 0
  for _, project in ipairs(redis.call('ZRANGE', ARGV[at + 1], 0, -1)) do
    local jobs = redis.call('ZCARD', ARGV[at + 2] .. project)
    if jobs == 0 then redis.call('ZREM', ARGV[at + 1], project) end
    waiting = waiting + jobs
  end
  local wake_ups = redis.call('LLEN', ARGV[at])
  if wake_ups > waiting then redis.call('LTRIM', ARGV[at], 0, waiting - 1) end
  if waiting == 0 then redis.call('DEL', ARGV[at]) end
  table.insert(lacking, math.max(waiting - wake_ups, 0))
end
return lacking
