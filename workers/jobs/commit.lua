-- Carry out commands if a job's record is still what was read, a claim is still free, and there is room for the job.
-- KEYS: 1 record, 2 claim, 3 stages of unfinished jobs, 4 unfinished jobs of the project, 5 stored bytes by project
-- ARGV: 1 the record as it was read, empty if there was none; 2 what the claim will hold, empty without a claim;
--       3 seconds that the claim lasts; 4 most unfinished jobs, empty where the job needs no room; 5 most of the project;
--       6 most stored bytes of the project; 7 project; then every command: the number of its words, and the words
-- Returns 'ok', or why nothing was done: 'changed', 'claimed', 'full', 'quota' or 'storage'.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'changed' end
if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then return 'claimed' end
if ARGV[4] ~= '' then
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[4]) then return 'full' end
  if redis.call('SCARD', KEYS[4]) >= tonumber(ARGV[5]) then return 'quota' end
  if tonumber(redis.call('HGET', KEYS[5], ARGV[7]) or 0) >= tonumber(ARGV[6]) then return 'storage' end
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) end
local at = 8
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return 'ok'
