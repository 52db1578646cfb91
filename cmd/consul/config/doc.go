// Package config turns flags and files into the one resolved configuration of an agent.
//
//	flags, files, -hcl ──Load──▶ *Runtime ──▶ cmd/consul ──values──▶ supervisor
//
// It owns the table of keys (table.go): one row a key, with its kind, its default, whether the agent obeys it and
// whether a reload applies it. Decoding, the suggestions for a mistyped key, the warning about keys that are not acted
// upon and [Diff] all follow from that table; to add a key is to add a row and, where the agent obeys it, a tagged field
// of [Runtime].
//
// Sources are merged in the order defaults, -dev, files as given, flags, -hcl. A later text, number or switch replaces an
// earlier one, lists are appended, maps are laid over each other, and the lists given as flags come first.
//
// Nothing survives a restart here: the package reads its sources, answers, and forgets. It starts nothing, opens no
// socket, writes no file, and knows neither actors nor logs. Reloading is a second Load and a [Diff].
package config
