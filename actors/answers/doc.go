// Package answers keeps what the state was asked and what it answered, for as long
// as that is true, so that who asks the same is answered the same.
//
//	invoke ──Table.Query──▶ Query ──Answer──▶ evaluated once, for everybody
//	       ──Subscribe──▶ Query ──wake──▶ everybody who waits
//	watch  ──Follow──▶ Query: evaluates when the answer has changed, while somebody waits
//	http   ──Form──▶ Answer: encoded once, for everybody
//
// An answer is true until one of the channels closes that its evaluation watched.
// They are closed before a write is acknowledged, so who finds them open reads what
// it would have been told by the newest state: asking here is as good as evaluating.
//
// Evaluations of one query follow each other, each on a view at least as new as the
// last. Its index therefore does not go back, but for the restore of a snapshot.
//
// The table is bounded: see Config. What does not fit is forgotten, the longest
// unused first, but nothing that somebody waits for. Who asks more than there is
// room for is told so, and evaluates for itself.
//
// The package is no actor and has no goroutines; its types are used on those of the
// askers, and lock what they share for as long as it takes to look at it. Only an
// evaluation keeps others waiting: those who want its result.
package answers
