package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MarshalJSON implements json.Marshaler: durations are text, and come first.
func (d HealthCheckDefinition) MarshalJSON() ([]byte, error) {
	if d.isZero() {
		return []byte("{}"), nil
	}
	type plain HealthCheckDefinition // without this method
	return json.Marshal(&struct {
		Interval                       string `json:",omitempty"`
		OutputMaxSize                  uint   `json:",omitempty"`
		Timeout                        string `json:",omitempty"`
		DeregisterCriticalServiceAfter string `json:",omitempty"`
		*plain
	}{
		Interval:                       durationText(d.Interval),
		OutputMaxSize:                  d.OutputMaxSize,
		Timeout:                        durationText(d.Timeout),
		DeregisterCriticalServiceAfter: durationText(d.DeregisterCriticalServiceAfter),
		plain:                          (*plain)(&d),
	})
}

func (d *HealthCheckDefinition) isZero() bool {
	return d.Header == nil && d.ScriptArgs == nil && d.HTTP == "" && d.TLSServerName == "" && !d.TLSSkipVerify &&
		d.Method == "" && d.Body == "" && !d.DisableRedirects && d.TCP == "" && !d.TCPUseTLS && d.UDP == "" &&
		d.H2PING == "" && d.OSService == "" && !d.H2PingUseTLS && d.Interval == 0 && d.OutputMaxSize == 0 &&
		d.Timeout == 0 && d.DeregisterCriticalServiceAfter == 0 && d.DockerContainerID == "" && d.Shell == "" &&
		d.GRPC == "" && !d.GRPCUseTLS && d.AliasNode == "" && d.AliasService == "" && d.TTL == 0
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// flexDuration reads a duration from JSON: text such as "10s", or a number of
// nanoseconds.
type flexDuration time.Duration

func (f *flexDuration) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		d, err := time.ParseDuration(text)
		*f = flexDuration(d)
		return err
	}
	var n float64
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("a duration is text such as \"10s\" or a number of nanoseconds: %w", err)
	}
	*f = flexDuration(n)
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: durations may be text or nanoseconds,
// and keys may be written in snake case.
func (d *HealthCheckDefinition) UnmarshalJSON(data []byte) error {
	type plain HealthCheckDefinition
	aux := struct {
		Interval                       *flexDuration
		Timeout                        *flexDuration
		DeregisterCriticalServiceAfter *flexDuration
		TTL                            *flexDuration
		*plain
	}{
		Interval:                       (*flexDuration)(&d.Interval),
		Timeout:                        (*flexDuration)(&d.Timeout),
		DeregisterCriticalServiceAfter: (*flexDuration)(&d.DeregisterCriticalServiceAfter),
		TTL:                            (*flexDuration)(&d.TTL),
		plain:                          (*plain)(d),
	}
	return unmarshalSnake(data, &aux)
}

// UnmarshalJSON implements json.Unmarshaler: durations may be text or nanoseconds,
// keys may be written in snake case, and the command may be called args, or be the
// script of Consul before 1.1, a line for the shell. A ping of HTTP/2 uses TLS
// unless the opposite is said.
func (c *CheckType) UnmarshalJSON(data []byte) error {
	type plain CheckType
	var pingTLS *bool
	aux := struct {
		Interval                       *flexDuration
		Timeout                        *flexDuration
		TTL                            *flexDuration
		DeregisterCriticalServiceAfter *flexDuration
		H2PingUseTLS                   **bool
		Args                           *[]string
		Script                         string
		*plain
	}{
		Interval:                       (*flexDuration)(&c.Interval),
		Timeout:                        (*flexDuration)(&c.Timeout),
		TTL:                            (*flexDuration)(&c.TTL),
		DeregisterCriticalServiceAfter: (*flexDuration)(&c.DeregisterCriticalServiceAfter),
		H2PingUseTLS:                   &pingTLS,
		plain:                          (*plain)(c),
	}
	if err := unmarshalSnake(data, &aux); err != nil {
		return err
	}
	switch {
	case c.ScriptArgs != nil:
	case aux.Args != nil:
		c.ScriptArgs = *aux.Args
	case aux.Script != "":
		c.ScriptArgs = ShellCommand(c.Shell, aux.Script)
	}
	c.H2PingUseTLS = c.H2PING != ""
	if pingTLS != nil {
		c.H2PingUseTLS = *pingTLS
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: as that of CheckType, whose CheckID
// is called ID here.
func (d *CheckDefinition) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &d.CheckType); err != nil {
		return err
	}
	var own struct{ ID, ServiceID, Token string }
	if err := unmarshalSnake(data, &own); err != nil {
		return err
	}
	d.CheckID = cmp.Or(own.ID, d.CheckID)
	d.ServiceID, d.Token = own.ServiceID, own.Token
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (d *ServiceDefinition) UnmarshalJSON(data []byte) error {
	type plain ServiceDefinition
	return unmarshalSnake(data, (*plain)(d))
}

// lockDelayMinThreshold is below what a lock delay is taken for seconds: nobody
// wants nanoseconds.
const lockDelayMinThreshold = 1000

// UnmarshalJSON implements json.Unmarshaler: LockDelay may be text, a number of
// nanoseconds or a small number of seconds.
func (s *Session) UnmarshalJSON(data []byte) error {
	type plain Session
	var delay *flexDuration
	aux := struct {
		LockDelay **flexDuration
		*plain
	}{LockDelay: &delay, plain: (*plain)(s)}
	if err := json.Unmarshal(data, &aux); err != nil {
		return err
	}
	if delay != nil {
		s.LockDelay = time.Duration(*delay)
		if s.LockDelay < lockDelayMinThreshold {
			s.LockDelay *= time.Second
		}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (c *ServiceConnect) UnmarshalJSON(data []byte) error {
	type plain ServiceConnect
	return unmarshalSnake(data, (*plain)(c))
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (c *ConnectProxyConfig) UnmarshalJSON(data []byte) error {
	type plain ConnectProxyConfig
	return unmarshalSnake(data, (*plain)(c))
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (c *TransparentProxyConfig) UnmarshalJSON(data []byte) error {
	type plain TransparentProxyConfig
	return unmarshalSnake(data, (*plain)(c))
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (c *AccessLogsConfig) UnmarshalJSON(data []byte) error {
	type plain AccessLogsConfig
	return unmarshalSnake(data, (*plain)(c))
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (u *Upstream) UnmarshalJSON(data []byte) error {
	type plain Upstream
	return unmarshalSnake(data, (*plain)(u))
}

// UnmarshalJSON implements json.Unmarshaler: keys may be written in snake case.
func (p *ExposePath) UnmarshalJSON(data []byte) error {
	type plain ExposePath
	return unmarshalSnake(data, (*plain)(p))
}

// unmarshalSnake reads a JSON object into out, whose fields it also finds by
// their names in snake case (package json finds them without regard to case).
// A key as the field is called wins over the same in snake case.
func unmarshalSnake(data []byte, out any) error {
	if !bytes.ContainsRune(data, '_') {
		return json.Unmarshal(data, out)
	}
	var obj map[string]json.RawMessage
	if err := json.Unmarshal(data, &obj); err != nil || obj == nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(obj)) { // two may stand for one field
		if !strings.Contains(key, "_") {
			continue
		}
		val := obj[key]
		delete(obj, key)
		name := strings.ReplaceAll(key, "_", "")
		if !hasFold(obj, name) {
			obj[name] = val
		}
	}
	flat, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	return json.Unmarshal(flat, out)
}

func hasFold(obj map[string]json.RawMessage, name string) bool {
	for key := range obj {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}
