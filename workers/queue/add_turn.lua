-- Let a job wait for its turn; its project joins the round with the next turn if it was not in it.
-- KEYS: 1 turns of the queue, 2 the project's waiting jobs, 3 clock of the queue
-- ARGV: 1 project, 2 job
-- Returns nothing.
redis.call('RPUSH', KEYS[2], ARGV[2])
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[3]), ARGV[1])
end
