-- Take a delivery that is due, and hold it so that no other housekeeper takes it. Projects take turns: of what is due,
-- the first one of the project with the fewest deliveries under way.
-- KEYS: 1 webhooks, 2 running deliveries
-- ARGV: 1 now, 2 the end of the hold (Unix seconds), 3 how many deliveries a project may have under way,
--  4 prefix of jobs, 5 prefix of the projects of jobs
-- Returns {job, project}, or nil if nothing may be delivered now.
local PAGE, CACHE_S = 100, 3600

local function project_of(job)
  local key = ARGV[5] .. job
  local project = redis.call('GET', key)
  if project then return project end
  local record = redis.call('GET', ARGV[4] .. job)
  local readable, fields = pcall(cjson.decode, record or '')
  project = readable and type(fields) == 'table' and type(fields.project) == 'string' and fields.project or ''
  redis.call('SET', key, project, 'EX', CACHE_S)
  return project
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
local running = {}
for _, delivery in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local project = string.match(delivery, '^%S+ (.*)$')
  running[project] = (running[project] or 0) + 1
end

local chosen, chosen_project
local fewest = tonumber(ARGV[3])
local from = 0
while fewest > 0 do
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', from, PAGE)
  for _, job in ipairs(due) do
    local project = project_of(job)
    if (running[project] or 0) < fewest then
      chosen, chosen_project, fewest = job, project, running[project] or 0
      if fewest == 0 then break end
    end
  end
  if #due < PAGE then break end
  from = from + PAGE
end
if not chosen then return nil end
redis.call('ZADD', KEYS[1], ARGV[2], chosen)
redis.call('ZADD', KEYS[2], ARGV[2], chosen .. ' ' .. chosen_project)
return {chosen, chosen_project}
