-- Count a job as unfinished, if there is room for it.
-- KEYS: 1 unfinished jobs, 2 unfinished jobs of the project
-- ARGV: 1 job, 2 most unfinished jobs, 3 most of the project
-- Returns 'ok', 'full' or 'quota'.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 'ok' end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 'full' end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 'quota' end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 'ok'
