-- Keep a preview of a stage that runs, and tell listeners of it.
-- KEYS: 1 lease holders, 2 preview, 3 news
-- ARGV: 1 member `job/queue`, 2 owner of its lease, 3 preview, 4 seconds that it lasts, 5 job, 6 about how many news are kept
-- Returns 1, or 0 if the owner does not hold the lease: the stage has ended, or its job was deleted.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'job', ARGV[5])
return 1
