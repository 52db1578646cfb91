// Package messages is the protocol of the agent: every value that one actor may
// send to another, and the domain values that those carry.
//
// It imports neither the actor framework nor any package of ours, so reading
// this folder is enough to know what the system can say. One file holds the
// protocol of one actor and is named after it: raft.go is what actors/raft
// accepts, answers and tells. The values that also travel outside the process
// (port 8300, the raft log, the HTTP API) are in the package wire below.
//
// # Shape of a message
//
// A message is a plain struct, sent as a pointer to a value that nobody changes
// after it is sent: the receiver may keep it, the sender may not touch it again.
// Requests are verbs (JoinPool), answers and events are past participles
// (PoolJoined, MembersChanged). Each carries three comment lines that a test
// insists on:
//
//	From:  the packages that send it
//	To:    the package that receives it
//	Reply: the value that answers it, or none
//
// # Requests from goroutines
//
// A listener serves its connections on goroutines, and a goroutine may wait. What
// it sends embeds Asked, an answer box that is used once: the actor calls Answer
// or Refuse, the goroutine receives. When the actor panics on the request its
// guard refuses it at once; when no such actor lives, the dead-letter office
// does. Between actors there is no waiting: they answer a message with a message.
//
// # Values everybody may read
//
// A read does not queue in a mailbox. An owner publishes an immutable value in a
// Published cell, always before it answers the request that changed it, so that
// who wrote reads what it wrote.
package messages
