package wire

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestCheckTypeAsWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		text, sort string
		want       CheckType
	}{
		"ping_of_h2":        {`{"H2PING":"x:1","Interval":"1s"}`, "h2ping", CheckType{H2PING: "x:1", H2PingUseTLS: true, Interval: time.Second}},
		"ping_without_tls":  {`{"h2ping":"x:1","h2ping_use_tls":false,"interval":"1s"}`, "h2ping", CheckType{H2PING: "x:1", Interval: time.Second}},
		"args":              {`{"args":["a","b"],"interval":"1s"}`, "script", CheckType{ScriptArgs: []string{"a", "b"}, Interval: time.Second}},
		"script_args":       {`{"script_args":["a"],"interval":"1s"}`, "script", CheckType{ScriptArgs: []string{"a"}, Interval: time.Second}},
		"script":            {`{"Script":"exit 1","Interval":"1s"}`, "script", CheckType{ScriptArgs: []string{"/bin/sh", "-c", "exit 1"}, Interval: time.Second}},
		"script_in_a_shell": {`{"Script":"exit 1","Shell":"/bin/bash","Interval":"1s"}`, "script", CheckType{ScriptArgs: []string{"/bin/bash", "-c", "exit 1"}, Shell: "/bin/bash", Interval: time.Second}},
		"docker":            {`{"DockerContainerID":"c","Args":["a"],"Interval":"1s"}`, "docker", CheckType{DockerContainerID: "c", ScriptArgs: []string{"a"}, Interval: time.Second}},
		"grpc":              {`{"GRPC":"x:1/y","GRPCUseTLS":true,"Interval":"1s"}`, "grpc", CheckType{GRPC: "x:1/y", GRPCUseTLS: true, Interval: time.Second}},
		"alias":             {`{"alias_service":"web"}`, "alias", CheckType{AliasService: "web"}},
		"ttl":               {`{"TTL":"5s"}`, "ttl", CheckType{TTL: 5 * time.Second}},
		"tcp":               {`{"TCP":"x:1","Interval":1000000000}`, "tcp", CheckType{TCP: "x:1", Interval: time.Second}},
		"udp":               {`{"UDP":"x:1","Interval":"1s"}`, "udp", CheckType{UDP: "x:1", Interval: time.Second}},
		"os_service":        {`{"os_service":"sshd","Interval":"1s"}`, "os_service", CheckType{OSService: "sshd", Interval: time.Second}},
		"nothing":           {`{}`, "", CheckType{}},
	} {
		t.Run(name, func(t *testing.T) {
			var got CheckType
			if err := json.Unmarshal([]byte(tt.text), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.Type() != tt.sort {
				t.Errorf("it is of type %q, want %q", got.Type(), tt.sort)
			}
			if err := got.Validate(); (err == nil) == got.Empty() {
				t.Errorf("is it valid? %v", err)
			}
			kept, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var again CheckType
			if err := json.Unmarshal(kept, &again); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("kept as %s it is read as %+v, %v", kept, again, err)
			}
		})
	}
}

func TestCheckDefinitionAsWritten(t *testing.T) {
	var got CheckDefinition
	if err := json.Unmarshal([]byte(`{"ID":"a","Name":"n","service_id":"web","Token":"t","TTL":"5s"}`), &got); err != nil {
		t.Fatal(err)
	}
	want := CheckDefinition{ServiceID: "web", Token: "t", CheckType: CheckType{CheckID: "a", Name: "n", TTL: 5 * time.Second}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := json.Unmarshal([]byte(`{"Name":"n","TTL":"nope"}`), &got); err == nil {
		t.Error("a TTL that is no duration was read")
	}
}
