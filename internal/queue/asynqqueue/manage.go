package asynqqueue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/belfryhq/belfry/internal/queue"
)

// known gives the names in Redis of all our queues.
func (d *Driver) known(ctx context.Context) ([]string, error) {
	all, err := d.client.SMembers(ctx, queuesKey).Result()
	if err != nil {
		return nil, d.wrap(err)
	}
	var ours []string
	for _, name := range all {
		if _, ok := d.queueOf(name); ok {
			ours = append(ours, name)
		}
	}
	return ours, nil
}

// Sizes implements queue.Driver. Jobs that are kept for later count as waiting.
func (d *Driver) Sizes(ctx context.Context) (map[string]queue.Size, error) {
	names, err := d.known(ctx)
	if err != nil || len(names) == 0 {
		return map[string]queue.Size{}, err
	}
	counts, err := sizes.Run(ctx, d.client, nil, words(names)...).Int64Slice()
	if err != nil {
		return nil, d.wrap(err)
	}
	answer := map[string]queue.Size{}
	for i, name := range names {
		waiting, running, paused, waited := int(counts[4*i]), int(counts[4*i+1]), counts[4*i+2] == 1, time.Duration(counts[4*i+3])*time.Millisecond
		if waiting == 0 && running == 0 && !paused {
			continue
		}
		q, _ := d.queueOf(name)
		size := answer[q]
		size.Waiting += waiting
		size.Running += running
		size.Paused = size.Paused || paused
		size.Oldest = max(size.Oldest, waited)
		answer[q] = size
	}
	return answer, nil
}

func words(list []string) []any {
	anys := make([]any, len(list))
	for i, word := range list {
		anys[i] = word
	}
	return anys
}

// Pause implements queue.Driver, with asynq's own mark on the queue.
func (d *Driver) Pause(ctx context.Context, queue string, paused bool) error {
	name := d.name(queue, usual)
	key := "asynq:{" + name + "}:paused"
	do := d.client.TxPipeline()
	do.SAdd(ctx, queuesKey, name)
	if paused {
		do.SetNX(ctx, key, time.Now().Unix(), 0)
	} else {
		do.Del(ctx, key)
		do.Publish(ctx, d.prefix+wakes, "")
	}
	_, err := do.Exec(ctx)
	return d.wrap(err)
}

// Clear implements queue.Driver.
func (d *Driver) Clear(ctx context.Context, queue string) (int, error) {
	names, err := d.known(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, name := range names {
		if q, _ := d.queueOf(name); q != queue {
			continue
		}
		for _, remove := range []func(string) (int, error){d.inspect.DeleteAllPendingTasks, d.inspect.DeleteAllScheduledTasks} {
			if err := ctx.Err(); err != nil {
				return count, err
			}
			n, err := remove(name)
			count += n
			if err != nil {
				return count, d.wrap(err)
			}
		}
	}
	return count, nil
}

// GiveBack implements queue.Driver.
func (d *Driver) GiveBack(ctx context.Context, workers []string) (int, error) {
	if len(workers) == 0 {
		return 0, nil
	}
	names, err := d.known(ctx)
	if err != nil {
		return 0, err
	}
	n, err := d.giveBack(ctx, workers, names, nil)
	if n > 0 {
		d.client.Publish(ctx, d.prefix+wakes, "") // should it fail, workers look soon
	}
	return n, err
}

func (d *Driver) giveBack(ctx context.Context, workers, names []string, leave []hand) (int, error) {
	args := append([]any{strconv.Itoa(len(workers))}, words(workers)...)
	args = append(append(args, strconv.Itoa(len(names))), words(names)...)
	for _, h := range leave {
		args = append(args, h.name, h.id)
	}
	n, err := d.run(ctx, giveBack, args...).Int()
	return n, d.wrap(err)
}

// State implements queue.Driver.
func (d *Driver) State(ctx context.Context, id string) (queue.State, error) {
	names, err := d.known(ctx)
	if err != nil || len(names) == 0 {
		return "", err
	}
	get := d.client.Pipeline()
	for _, name := range names {
		get.HGet(ctx, "asynq:{"+name+"}:t:"+id, "state")
	}
	answers, err := get.Exec(ctx)
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", d.wrap(err)
	}
	for _, answer := range answers {
		switch answer.(*redis.StringCmd).Val() {
		case "pending", "scheduled":
			return queue.Waiting, nil
		case "active":
			return queue.Running, nil
		case "archived":
			return queue.Failed, nil
		}
	}
	return "", nil
}
