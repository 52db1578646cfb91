// Package agentca is the certificate authority of agents: it makes the authority of a
// cluster and, with that, the certificates by which agents know each other. They are
// those of `consul tls`.
//
//	cmd ──New, Read, Issue──▶ files of an operator
//	certs ──ServerName──▶ what the certificate of a server has to say
//
// It is not an actor, keeps nothing, and touches no file. It has nothing to do with the
// authority of the service mesh, which is actors/connectca and speaks of services.
//
// What a certificate allows is in its names: who shows server.<datacenter>.<domain> may
// be a server there. That is why `verify_server_hostname` insists on it, and why the
// certificates of servers are to be kept as well as the key of the authority.
package agentca
