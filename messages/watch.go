package messages

import "context"

// Followed is a query that somebody waits for.
type Followed interface {
	// Follow evaluates the query whenever its answer has changed, until nobody waits
	// for it, or ctx ends. It blocks.
	Follow(ctx context.Context)
	// Waited says whether somebody waits for the query.
	Waited() bool
}

// FollowQuery asks for a query to be evaluated when its answer has changed, for as
// long as somebody waits for it. A query that is followed already is left alone.
//
// From:  invoke
// To:    watch
// Reply: none; who waits hears of it through the query
type FollowQuery struct {
	Query Followed
}
