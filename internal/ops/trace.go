package ops

import "github.com/belfryhq/belfry/internal/trace"

var (
	traceSteps    = newMetric(counter, "belfry_trace_steps_total", "Steps of events that the trace was told of, kept or not.")
	traceRecords  = newMetric(counter, "belfry_trace_records_total", "Records of events and connections that the trace kept.")
	traceDropped  = newMetric(counter, "belfry_trace_dropped_total", "Records let go before their time, because the trace's memory was full.")
	traceOneIn    = newMetric(gauge, "belfry_trace_sampling", "1 while every event is traced, else one in so many is.")
	traceBytes    = newMetric(gauge, "belfry_trace_bytes", "Memory that the trace's records take.")
	traceFailures = newMetric(counter, "belfry_trace_failures_total", "Failures of events, by what became of their record in the database.", "result")
)

func traceMetrics() []*metric {
	return []*metric{traceSteps, traceRecords, traceDropped, traceOneIn, traceBytes, traceFailures}
}

// trace sends a trace's figures.
func (s sink) trace(t trace.Stats) {
	s.count(traceSteps, t.Seen)
	s.count(traceRecords, t.Records)
	s.count(traceDropped, t.Dropped)
	s.put(traceOneIn, int64(t.OneIn))
	s.put(traceBytes, t.Bytes)
	s.count(traceFailures, t.FailuresWritten, "written")
	s.count(traceFailures, t.FailuresDropped, "dropped")
}
