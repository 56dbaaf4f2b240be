-- Find stages of unfinished jobs that neither wait, nor are leased, nor delayed.
-- KEYS: 1 stages of unfinished jobs, 2 leases
-- ARGV: 1 cursor, 2 about how many to look at, 3 prefix of the keys of lines
-- Returns the next cursor, 0 at the end, and the jobs.
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local idle = {}
for i = 1, #page[2], 2 do
  local job, place = page[2][i], page[2][i + 1]
  local queue, project = string.match(place, '^(%S+) (.*)$')
  local leased = queue and redis.call('ZSCORE', KEYS[2], job .. '/' .. queue)
  local waits = queue and not leased and redis.call('ZSCORE', ARGV[3] .. queue .. ':' .. project, job)
    and redis.call('ZSCORE', ARGV[3] .. queue, project)
  if not leased and not waits then table.insert(idle, job) end
end
return {page[1], idle}
