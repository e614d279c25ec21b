package asynqqueue

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// script is one that also runs when Redis's memory is full: it must, so that
// workers can empty the queues and make room. Redis has known how to say so
// since version 7; an older one gets the script without it.
type script struct{ always, plain *redis.Script }

func newScript(source string) script {
	return script{redis.NewScript("#!lua flags=allow-oom\n" + source), redis.NewScript(source)}
}

func (d *Driver) run(ctx context.Context, s script, args ...any) *redis.Cmd {
	if !d.old.Load() {
		answer := s.always.Run(ctx, d.client, nil, args...)
		if err := answer.Err(); err == nil || !strings.Contains(err.Error(), "compiling script") {
			return answer
		}
		d.old.Store(true)
	}
	return s.plain.Run(ctx, d.client, nil, args...)
}

// A task of asynq is a hash "asynq:{QUEUE}:t:ID" with its message and state; its
// id stands in the list "…:pending", whose right end is the front, or "…:active".
// To the hash we add "worker", who has it, and "deliveries". A task that is kept
// for later stands in the sorted set "…:scheduled", by seconds, with fractions.
//
// The scripts make keys out of names, which one Redis allows and a cluster does
// not.

// putFirst is the part of the scripts that lets tasks wait again at the front of
// their queue: in the order in which they came, also with those that were put
// there before. "pending_since" is that order; its numbers have as many digits,
// so they are compared as text, which is exact.
const putFirst = `
local function putFirst(q, ids)
	if #ids == 0 then return end
	local came, newest = {}, ''
	for _, id in ipairs(ids) do
		local task = q .. 't:' .. id
		redis.call('HSET', task, 'state', 'pending')
		came[id] = redis.call('HGET', task, 'pending_since') or ''
		if came[id] > newest then newest = came[id] end
	end
	for _ = 1, 1000 do
		local id = redis.call('LINDEX', q .. 'pending', -1)
		local since = id and (redis.call('HGET', q .. 't:' .. id, 'pending_since') or '')
		if not id or since > newest then break end
		redis.call('RPOP', q .. 'pending')
		ids[#ids + 1], came[id] = id, since
	end
	table.sort(ids, function(a, b) return came[a] > came[b] end)
	for _, id in ipairs(ids) do redis.call('RPUSH', q .. 'pending', id) end
end
`

// enqueue puts tasks at the ends of their queues, but for those that are there.
//
// ARGV: the channel that wakes workers, then for each task its queue, id,
// message and nanoseconds.
var enqueue = redis.NewScript(`
local names = {}
for at = 2, #ARGV, 4 do
	local name, id = ARGV[at], ARGV[at + 1]
	local q = 'asynq:{' .. name .. '}:'
	local task = q .. 't:' .. id
	if redis.call('EXISTS', task) == 0 then
		redis.call('HSET', task, 'msg', ARGV[at + 2], 'state', 'pending', 'pending_since', ARGV[at + 3])
		redis.call('LPUSH', q .. 'pending', id)
	end
	if not names[name] then
		names[name] = true
		redis.call('SADD', 'asynq:queues', name)
	end
end
redis.call('PUBLISH', ARGV[1], '')
return 0
`)

// turn applies results of a worker and takes new tasks for it.
//
// ARGV: worker, how many to take, of how many bytes at most but for the last,
// milliseconds to the end of the lease, number of results, then for each its queue, id, what to do and milliseconds; number
// of queues, then for each its name and the name under which it is paused.
// Answer: milliseconds until a kept task is due, or -1, then for each task its
// queue, id, message, nanoseconds when it came, deliveries.
//
// The lease is asynq's. It is long, so that no asynq server that somebody starts
// on the queue takes the task for lost.
var turn = newScript(putFirst + `
local worker, want, room, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local at, again = 6, {}
for _ = 1, tonumber(ARGV[5]) do
	local q, id, verb, after = 'asynq:{' .. ARGV[at] .. '}:', ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
	at = at + 4
	local task = q .. 't:' .. id
	if redis.call('HGET', task, 'worker') == worker and redis.call('HGET', task, 'state') == 'active' then
		redis.call('LREM', q .. 'active', 1, id)
		redis.call('ZREM', q .. 'lease', id)
		if verb == 'done' then
			redis.call('DEL', task)
		elseif verb == 'bury' then
			redis.call('HSET', task, 'state', 'archived')
			redis.call('ZADD', q .. 'archived', time[1], id)
		else
			redis.call('HINCRBY', task, 'deliveries', -1)
			redis.call('HDEL', task, 'worker')
			if after > 0 then
				redis.call('HSET', task, 'state', 'scheduled')
				redis.call('ZADD', q .. 'scheduled', string.format('%.3f', now + after / 1000), id)
			else
				again[q] = again[q] or {}
				table.insert(again[q], id)
			end
		end
	end
end
for q, ids in pairs(again) do putFirst(q, ids) end
local answer, due = {-1}, nil
local last = at + 2 * tonumber(ARGV[at])
at = at + 1
while at < last do
	local name = ARGV[at]
	local q, paused = 'asynq:{' .. name .. '}:', redis.call('EXISTS', 'asynq:{' .. ARGV[at + 1] .. '}:paused')
	at = at + 2
	local kept = redis.call('ZRANGE', q .. 'scheduled', 0, 99, 'WITHSCORES')
	local ready = {}
	for i = 1, #kept, 2 do
		local score = tonumber(kept[i + 1])
		if score > now then
			if not due or score < due then due = score end
			break
		end
		redis.call('ZREM', q .. 'scheduled', kept[i])
		ready[#ready + 1] = kept[i]
	end
	putFirst(q, ready)
	while want > 0 and room > 0 and paused == 0 do
		local id = redis.call('RPOPLPUSH', q .. 'pending', q .. 'active')
		if not id then break end
		local task = q .. 't:' .. id
		local got = redis.call('HMGET', task, 'msg', 'pending_since')
		if got[1] then
			redis.call('HSET', task, 'state', 'active', 'worker', worker)
			redis.call('ZADD', q .. 'lease', tonumber(time[1]) + lease / 1000, id)
			local deliveries = redis.call('HINCRBY', task, 'deliveries', 1)
			local n = #answer
			answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4], answer[n + 5] = name, id, got[1], got[2] or '0', deliveries
			want, room = want - 1, room - #got[1]
		else
			redis.call('LREM', q .. 'active', 1, id)
		end
	end
end
if due then answer[1] = math.ceil((due - now) * 1000) end
return answer
`)

// giveBack makes the tasks of workers wait again, first in their queues and in
// their order, but for those that are named.
//
// ARGV: number of workers, the workers, number of queues, the queues, then the
// queues and ids of the tasks to leave. Answer: how many.
var giveBack = newScript(putFirst + `
local gone, names, leave, count = {}, {}, {}, 0
local at = 2
for _ = 1, tonumber(ARGV[1]) do gone[ARGV[at]] = true; at = at + 1 end
local n = tonumber(ARGV[at])
at = at + 1
for _ = 1, n do names[#names + 1] = ARGV[at]; at = at + 1 end
while at < #ARGV do leave[ARGV[at] .. ' ' .. ARGV[at + 1]] = true; at = at + 2 end
for _, name in ipairs(names) do
	local q, back = 'asynq:{' .. name .. '}:', {}
	for _, id in ipairs(redis.call('LRANGE', q .. 'active', 0, -1)) do
		local task = q .. 't:' .. id
		local worker = redis.call('HGET', task, 'worker')
		if worker and gone[worker] and not leave[name .. ' ' .. id] then
			redis.call('LREM', q .. 'active', 1, id)
			redis.call('ZREM', q .. 'lease', id)
			redis.call('HDEL', task, 'worker')
			back[#back + 1] = id
		end
	end
	count = count + #back
	putFirst(q, back)
end
return count
`)

// sizes counts.
//
// ARGV: the queues. Answer: for each the tasks that wait, those that run, 1 when
// it is paused, and how many milliseconds the first has waited.
var sizes = redis.NewScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local answer = {}
for _, name in ipairs(ARGV) do
	local q = 'asynq:{' .. name .. '}:'
	local waited, first = 0, redis.call('LINDEX', q .. 'pending', -1)
	local since = first and redis.call('HGET', q .. 't:' .. first, 'pending_since')
	if since then waited = math.max(0, math.floor(now - tonumber(since) / 1000000)) end
	local n = #answer
	answer[n + 1] = redis.call('LLEN', q .. 'pending') + redis.call('ZCARD', q .. 'scheduled')
	answer[n + 2] = redis.call('LLEN', q .. 'active')
	answer[n + 3] = redis.call('EXISTS', q .. 'paused')
	answer[n + 4] = waited
end
return answer
`)
