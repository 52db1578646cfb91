package main

import (
	"testing"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestKeyringAction(t *testing.T) {
	const oneOf = "needs exactly one of -list, -list-primary, -install, -use and -remove"
	tests := []struct {
		name    string
		args    []string
		command agentrpc.Command
		key     string
		err     string
	}{
		{name: "list", args: []string{"-list"}, command: agentrpc.ListKeys},
		{name: "install", args: []string{"-install=k"}, command: agentrpc.InstallKey, key: "k"},
		{name: "use", args: []string{"-use", "k"}, command: agentrpc.UseKey, key: "k"},
		{name: "remove_relayed", args: []string{"-relay-factor=5", "-remove=k"}, command: agentrpc.RemoveKey, key: "k"},
		{name: "nothing", err: oneOf},
		{name: "no_action", args: []string{"-relay-factor=1"}, err: oneOf},
		{name: "two", args: []string{"-list", "-use=k"}, err: oneOf},
		{name: "list_denied", args: []string{"-list=false"}, err: "-list=false asks for nothing"},
		{name: "empty_key", args: []string{"-use="}, err: "the key is empty"},
		{name: "too_many_relays", args: []string{"-list", "-relay-factor=6"}, err: "-relay-factor is at most 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newKeyringCommand(cli.NewMockUi()).(*keyringCommand)
			if _, ok := c.parse(tt.args, 0, 0); !ok {
				t.Fatalf("parse(%q) refused", tt.args)
			}
			do, err := c.action()
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("action() error = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || do.command != tt.command || do.key != tt.key {
				t.Errorf("action() = %+v, %v; want %s of %q", do, err, tt.command, tt.key)
			}
		})
	}
}

// twoPools answers for the WAN and the LAN of a datacenter with three members.
var twoPools = []agentrpc.KeyringInfo{
	{Datacenter: "dc1", Pool: "LAN", NumNodes: 3},
	{Datacenter: "dc1", Pool: "WAN", NumNodes: 1},
}

func TestKeyringList(t *testing.T) {
	got := keyringList(&agentrpc.KeyringResponse{
		Info: twoPools,
		Keys: []agentrpc.KeyringEntry{
			{Datacenter: "dc1", Pool: "LAN", Key: "b=", Count: 2},
			{Datacenter: "dc1", Pool: "LAN", Key: "a=", Count: 3},
			{Datacenter: "dc1", Pool: "WAN", Key: "a=", Count: 1},
		},
		Messages: []agentrpc.KeyringMessage{{Datacenter: "dc1", Pool: "LAN", Node: "web", Message: "slow"}},
	})
	want := "\n" +
		"WAN:\n" +
		"  a= [1/1]\n" +
		"\n" +
		"dc1 (LAN):\n" +
		"  ===> web: slow\n" +
		"  a= [3/3]\n" +
		"  b= [2/3]"
	if got != want {
		t.Errorf("keyringList() =\n%s\nwant\n%s", got, want)
	}
}

func TestKeyringTroubles(t *testing.T) {
	failed := []agentrpc.KeyringInfo{
		{Datacenter: "dc1", Pool: "LAN", NumNodes: 3, Error: "1/3 nodes reported failure"},
		{Datacenter: "dc1", Pool: "WAN", NumNodes: 1},
	}
	messages := []agentrpc.KeyringMessage{
		{Datacenter: "dc1", Pool: "LAN", Node: "web\x07", Message: "key is not in the keyring"},
		{Datacenter: "dc1", Pool: "WAN", Node: "server-1.dc1", Message: "fine"},
	}
	tests := []struct {
		name   string
		answer agentrpc.KeyringResponse
		want   string
	}{
		{"all_well", agentrpc.KeyringResponse{Info: twoPools, Messages: messages}, ""},
		{"no_answer", agentrpc.KeyringResponse{}, ""},
		{
			"one_pool", agentrpc.KeyringResponse{Info: failed, Messages: messages},
			"\ndc1 (LAN) error: 1/3 nodes reported failure\n" + `  web\a: key is not in the keyring`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := keyringTroubles(&tt.answer); got != tt.want {
				t.Errorf("keyringTroubles() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
