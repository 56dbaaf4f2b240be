-- Read the places of waiting stages in their lines, how many wait and run in each, and how long stages took.
-- KEYS: 1 lease holders, 2 names of workers
-- ARGV: 1 number of lines, then every line: its key, and the prefix of the keys of its projects' stages;
--       then the number of jobs, then every job: the number of its line, project, job; then the keys of stages' times;
--       the last one is the prefix of the keys of heartbeats
-- Returns {what waits in each line, the place of each job from 1 on or 0, the times of each key, holders of leases,
-- heartbeats}. A place counts the turns that projects take: the line of the project whose last turn is longest ago is
-- first, and has its next turn after all others.
local at, lines = 2, {}
for _ = 1, tonumber(ARGV[1]) do
  local line, waiting = {projects = {}, jobs = ARGV[at + 1]}, 0
  for turn, project in ipairs(redis.call('ZRANGE', ARGV[at], 0, -1)) do
    local jobs = redis.call('ZCARD', ARGV[at + 1] .. project)
    table.insert(line.projects, {name = project, turn = turn, jobs = jobs})
    waiting = waiting + jobs
  end
  line.waiting = waiting
  table.insert(lines, line)
  at = at + 2
end

local function place_of(line, project, job)
  local rank = redis.call('ZRANK', line.jobs .. project, job)
  if not rank then return 0 end
  local own
  for _, other in ipairs(line.projects) do
    if other.name == project then own = other.turn end
  end
  if not own then return 0 end
  local place = rank + 1
  for _, other in ipairs(line.projects) do
    if other.turn < own then place = place + math.min(other.jobs, rank + 1) end
    if other.turn > own then place = place + math.min(other.jobs, rank) end
  end
  return place
end

local number, places = tonumber(ARGV[at]), {}
at = at + 1
for _ = 1, number do
  table.insert(places, place_of(lines[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]))
  at = at + 3
end
local times = {}
while at < #ARGV do
  table.insert(times, redis.call('LRANGE', ARGV[at], 0, -1))
  at = at + 1
end
local heartbeats = {}
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local heartbeat = redis.call('GET', ARGV[#ARGV] .. worker)
  if heartbeat then table.insert(heartbeats, heartbeat) end
end
local waiting = {}
for index, line in ipairs(lines) do waiting[index] = line.waiting end
return {waiting, places, times, redis.call('HKEYS', KEYS[1]), heartbeats}
