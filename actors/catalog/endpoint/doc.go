// Package endpoint is what servers can be asked, as data: each method of Consul's
// RPC has its name, its types, and its rules.
//
//	http, dns ──▶ ListNodes.Eval(env, args, reply)           a read, answered here
//	serverrpc ──▶ Lookup("Catalog.ListNodes").Eval(...)      the same, by name
//	anybody   ──▶ Register.Prepare → raft → Register.Result  a write
//
// It is pure. A read is a function of a View; a write is what must hold before the
// request enters the log (Prepare, on the leader) and what the asker is told about
// what the state made of it (Result). Who may lead, forward, wait or send is not
// known here; Blocking has the rule about when a waiting read is answered.
//
// Every method looks at the rights of the asker, Env.Authz. Errors have Consul's
// texts, which clients match.
package endpoint
