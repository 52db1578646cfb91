package http

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/operator: https://developer.hashicorp.com/consul/api-docs/operator.
var (
	operatorUsage = query[wire.OperatorUsageRequest, wire.Usage]{
		read: endpoint.OperatorUsage, names: anyNames,
		args: func(r *request, args *wire.OperatorUsageRequest) error {
			args.Datacenter = r.datacenter()
			args.Global = r.has("global")
			return nil
		},
		show: func(_ *request, reply *wire.Usage) (*answer, error) { return with(reply), nil },
	}.handle

	autopilotGet = query[wire.DCSpecificRequest, wire.AutopilotConfig]{
		read: endpoint.AutopilotGetConfiguration, names: anyNames, args: inDatacenter,
		show: func(_ *request, reply *wire.AutopilotConfig) (*answer, error) {
			return with((*autopilotJSON)(reply)), nil
		},
	}.handle

	autopilotSet = command[wire.AutopilotSetConfigRequest, bool]{
		write: endpoint.AutopilotSetConfiguration,
		args:  autopilotArgs,
		show: func(args *wire.AutopilotSetConfigRequest, changed *bool) *answer {
			return with(!args.CAS || *changed)
		},
	}.handle
)

// autopilotDefaults are the values of what a new configuration leaves out.
var autopilotDefaults = wire.AutopilotConfig{
	CleanupDeadServers:      true,
	LastContactThreshold:    200 * time.Millisecond,
	MaxTrailingLogs:         250,
	ServerStabilizationTime: 10 * time.Second,
}

func autopilotArgs(r *request, args *wire.AutopilotSetConfigRequest) error {
	args.Config = autopilotDefaults
	if err := r.decodeOr("Error parsing autopilot config", (*autopilotJSON)(&args.Config)); err != nil {
		return err
	}
	args.Datacenter = r.datacenter()
	args.Config.CreateIndex, args.Config.ModifyIndex = 0, 0
	if r.has("cas") {
		index, err := strconv.ParseUint(r.param("cas"), 10, 64)
		if err != nil {
			return refusal(http.StatusBadRequest, "Error parsing cas value: "+err.Error())
		}
		args.Config.ModifyIndex, args.CAS = index, true
	}
	return nil
}

// autopilotJSON is the autopilot configuration as the API shows it: durations are
// text.
type autopilotJSON wire.AutopilotConfig

// autopilotTexts are the durations, which hide the fields of the same name below
// them.
type autopilotTexts struct {
	LastContactThreshold    duration
	ServerStabilizationTime duration
	*autopilotPlain
}

type autopilotPlain autopilotJSON // without the methods

// MarshalJSON implements json.Marshaler.
func (c *autopilotJSON) MarshalJSON() ([]byte, error) {
	return json.Marshal(autopilotTexts{
		LastContactThreshold:    duration(c.LastContactThreshold),
		ServerStabilizationTime: duration(c.ServerStabilizationTime),
		autopilotPlain:          (*autopilotPlain)(c),
	})
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *autopilotJSON) UnmarshalJSON(data []byte) error {
	in := autopilotTexts{
		LastContactThreshold:    duration(c.LastContactThreshold),
		ServerStabilizationTime: duration(c.ServerStabilizationTime),
		autopilotPlain:          (*autopilotPlain)(c),
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	c.LastContactThreshold = time.Duration(in.LastContactThreshold)
	c.ServerStabilizationTime = time.Duration(in.ServerStabilizationTime)
	return nil
}

// duration is shown as text, and read from text or from nanoseconds.
type duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *duration) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		return json.Unmarshal(data, (*time.Duration)(d))
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	*d = duration(parsed)
	return err
}
