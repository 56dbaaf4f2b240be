-- Find jobs of a project's list, by their entries.
-- KEYS: 1 list, 2 entries `status preset prompt`
-- ARGV: 1 '1' for the newest first, '0' for the oldest; 2 score to begin after, 3 its job, both empty at the beginning;
--       4 how many to find, 5 how many to look at, 6 how many to read at once, 7 '1' if all pass, 8 part of the prompt,
--       9 preset, then every status; empty parts ask for nothing
-- Returns every job found as {job, score, '1' or '0' if it has no entry}, how many were looked at, and the last of these as
-- {job, score}, empty at the end of the list.
local newest, count, step, all = ARGV[1] == '1', tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[7] == '1'
local statuses = {}
for at = 10, #ARGV do statuses[ARGV[at]] = true end

local function passes(entry)
  local status, preset, prompt = string.match(entry, '^(%S+) (%S+) (.*)$')
  return status and (#ARGV < 10 or statuses[status]) and (ARGV[9] == '' or preset == ARGV[9])
    and string.find(prompt, ARGV[8], 1, true)
end

local command = newest and 'ZREVRANGEBYSCORE' or 'ZRANGEBYSCORE'
local ending, score, job = newest and '-inf' or '+inf', ARGV[2], ARGV[3]
local found, looked = {}, 0
while looked < tonumber(ARGV[5]) do
  local first, begin, look = newest and '+inf' or '-inf', tonumber(score), step
  if begin then
    first = score
    look = step + redis.call('ZCOUNT', KEYS[1], score, score)
  end
  local page = redis.call(command, KEYS[1], first, ending, 'WITHSCORES', 'LIMIT', 0, look)
  local after = job
  for at = 1, #page, 2 do
    job, score = page[at], page[at + 1]
    local before = begin and tonumber(score) == begin and (newest and job >= after or not newest and job <= after)
    if not before then
      looked = looked + 1
      local entry = all or redis.call('HGET', KEYS[2], job)
      if all or not entry or passes(entry) then
        table.insert(found, {job, score, entry and '1' or '0'})
        if #found == count then return {found, looked, {job, score}} end
      end
    end
  end
  if #page < 2 * look then return {found, looked, {}} end
end
return {found, looked, {job, score}}
