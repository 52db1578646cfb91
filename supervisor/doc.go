// Package supervisor starts the agent's actors, restarts those that fail and
// stops them in order. It is the only package that knows them all.
package supervisor
