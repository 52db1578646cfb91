package http

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// ringed returns a stage whose pools have keys, or fail, and what they were told.
func ringed(t *testing.T, fault error) (*stage, *[]string) {
	s := newStage(t)
	told := new([]string)
	for name, member := range map[string]string{"gossip-wan": "n1.dc1", "gossip-lan": "n1"} {
		s.answers[name] = func(ctx actor.Context) bool {
			msg, ok := ctx.Message().(*messages.ChangeKeyring)
			if !ok {
				return false
			}
			*told = append(*told, fmt.Sprintf("%s %s %s %d", name, msg.Verb, msg.Key, msg.RelayFactor))
			got := messages.KeyringChanged{NumNodes: 1, NumResp: 1, Keys: map[string]int{"k": 1}, PrimaryKeys: map[string]int{"k": 1}}
			if fault != nil {
				got = messages.KeyringChanged{NumNodes: 1, NumErr: 1, Messages: map[string]string{member: "Keyring is empty (encryption not enabled)"}}
			}
			msg.Settle(got, fault)
			return true
		}
	}
	return s, told
}

func TestKeyring(t *testing.T) {
	const listed = `[{"WAN":true,"Datacenter":"dc1","Segment":"","Keys":{"k":1},"PrimaryKeys":{"k":1},"NumNodes":1},` +
		`{"WAN":false,"Datacenter":"dc1","Segment":"","Keys":{"k":1},"PrimaryKeys":{"k":1},"NumNodes":1}]`
	both := func(what string) []string { return []string{"gossip-wan " + what, "gossip-lan " + what} }
	tests := []struct {
		name, request, body string
		client              bool
		fault               error
		status              int
		want                string
		told                []string
	}{
		{name: "list", request: "GET ", status: 200, want: listed, told: both("list  0")},
		{name: "list_local", request: "GET ?local-only=true", status: 200, want: "[" + listed[strings.Index(listed, `{"WAN":false`):], told: []string{"gossip-lan list  0"}},
		{name: "install", request: "POST ?relay-factor=3", body: `{"Key":"x"}`, status: 200, told: both("install x 3")},
		{name: "use", request: "PUT ", body: `{"Key":"x"}`, status: 200, told: both("use x 0")},
		{name: "remove", request: "DELETE ", body: `{"Key":"x"}`, status: 200, told: both("remove x 0")},
		{name: "off", request: "GET ", fault: errors.New("1/1 nodes reported failure"), status: 500, told: both("list  0"),
			want: "4 errors occurred:\n\t* WAN error: 1/1 nodes reported failure\n\t* n1.dc1: Keyring is empty (encryption not enabled)\n\t* dc1 (LAN) error: 1/1 nodes reported failure\n\t* n1: Keyring is empty (encryption not enabled)\n\n"},
		{name: "of_a_client", request: "GET ", client: true, status: 500, want: "keyring operations must run against a server node"},
		{name: "no_body", request: "PUT ", status: 400, want: "Request decode failed: EOF"},
		{name: "odd_relay_factor", request: "GET ?relay-factor=6", status: 400, want: "Error parsing relay factor: Relay factor must be in range: [0, 5]"},
		{name: "no_relay_factor", request: "GET ?relay-factor=x", status: 400, want: `Error parsing relay factor: strconv.Atoi: parsing "x": invalid syntax`},
		{name: "odd_local", request: "GET ?local-only=x", status: 400, want: `Error parsing local-only: strconv.ParseBool: parsing "x": invalid syntax`},
		{name: "use_local", request: "PUT ?local-only=true", body: `{"Key":"x"}`, status: 400, want: "Error validating local-only: argument 'local-only' is only valid for list requests"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, told := ringed(t, tt.fault)
			s.cfg.Facts.Server = !tt.client
			method, query, _ := strings.Cut(tt.request, " ")
			got := call(s.api(t), method, "/v1/operator/keyring"+query, tt.body)
			if got.Code != tt.status || got.Body.String() != tt.want {
				t.Errorf("%d %s\nwant %d %s", got.Code, got.Body, tt.status, tt.want)
			}
			if !reflect.DeepEqual(append([]string(nil), *told...), tt.told) {
				t.Errorf("the pools were told %q, want %q", *told, tt.told)
			}
		})
	}
}

func TestOfficialKeyringClient(t *testing.T) {
	s, told := ringed(t, nil)
	op := official(t, s).Operator()
	rings, err := op.KeyringList(nil)
	if err != nil || len(rings) != 2 || !rings[0].WAN || rings[1].Keys["k"] != 1 || rings[1].NumNodes != 1 {
		t.Errorf("list: %+v, %v", rings, err)
	}
	if err := errors.Join(op.KeyringInstall("x", nil), op.KeyringUse("x", nil), op.KeyringRemove("x", nil)); err != nil {
		t.Error(err)
	}
	if len(*told) != 8 {
		t.Errorf("the pools were told %q", *told)
	}
}

// TestKeysAreNotLogged: a key is a secret, even one that was refused.
func TestKeysAreNotLogged(t *testing.T) {
	s, _ := ringed(t, errors.New("no"))
	got := call(s.api(t), "PUT", "/v1/operator/keyring", `{"Key":"very-secret"}`)
	if got.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	for _, line := range s.logs.All() {
		if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "very-secret") {
			t.Errorf("the log has the key: %v", line)
		}
	}
}
