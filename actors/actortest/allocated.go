package actortest

import "runtime"

// Allocated returns how many bytes are allocated while do runs, those that are garbage
// by then included. It counts the whole process, so nothing else may be going on.
func Allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
