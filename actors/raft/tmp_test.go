package raft

import (
	"github.com/hashicorp/go-hclog"
	"os"
)

func testLog(id string) hclog.Logger {
	if os.Getenv("RAFTLOG") == "" {
		return hclog.NewNullLogger()
	}
	return hclog.New(&hclog.LoggerOptions{Name: id, Level: hclog.Debug, Output: os.Stderr, TimeFormat: "05.000"})
}
