package wire

import (
	"cmp"
	"errors"
	"reflect"
)

// The faults that CheckType.Validate finds. Clients match the texts.
var (
	errIntervalAndTTL = errors.New("Interval and TTL cannot both be specified")
	errNoInterval     = errors.New("Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks")
	errAliasInterval  = errors.New("Interval cannot be set for Alias checks")
	errAliasTTL       = errors.New("TTL must be not be set for Alias checks")
	errNoTTL          = errors.New("TTL must be > 0 for TTL checks")
	errOutputMaxSize  = errors.New("MaxOutputMaxSize must be positive")
	errWarnsTooLate   = errors.New("FailuresBeforeWarning can't be higher than FailuresBeforeCritical")
)

// Empty says whether nothing is said of the check.
func (c *CheckType) Empty() bool { return reflect.DeepEqual(c, &CheckType{}) }

// Validate says what is wrong with the check: it must be of one sort, with the
// times that the sort needs.
func (c *CheckType) Validate() error {
	repeats := len(c.ScriptArgs) > 0 || c.HTTP != "" || c.TCP != "" || c.UDP != "" || c.GRPC != "" || c.H2PING != "" || c.OSService != ""
	alias := c.AliasNode != "" || c.AliasService != ""
	switch {
	case c.Interval > 0 && c.TTL > 0:
		return errIntervalAndTTL
	case repeats && c.Interval <= 0:
		return errNoInterval
	case repeats && alias:
		return errAliasInterval
	case alias && c.TTL > 0:
		return errAliasTTL
	case !repeats && !alias && c.TTL <= 0:
		return errNoTTL
	case c.OutputMaxSize < 0:
		return errOutputMaxSize
	case c.FailuresBeforeWarning > c.FailuresBeforeCritical:
		return errWarnsTooLate
	default:
		return nil
	}
}

// Type names what sort of check it is, empty when it is none.
func (c *CheckType) Type() string {
	repeats := c.Interval > 0
	switch {
	case c.GRPC != "" && repeats:
		return "grpc"
	case c.HTTP != "" && repeats:
		return "http"
	case c.TTL > 0:
		return "ttl"
	case c.TCP != "" && repeats:
		return "tcp"
	case c.UDP != "" && repeats:
		return "udp"
	case c.AliasNode != "" || c.AliasService != "":
		return "alias"
	case len(c.ScriptArgs) > 0 && c.DockerContainerID != "" && repeats:
		return "docker"
	case len(c.ScriptArgs) > 0:
		return "script"
	case c.H2PING != "" && repeats:
		return "h2ping"
	case c.OSService != "" && repeats:
		return "os_service"
	default:
		return ""
	}
}

// RunsProgram says whether the check runs a program on this machine or in a
// container, which an agent does only when it was told that it may.
func (c *CheckType) RunsProgram() bool { return c != nil && len(c.ScriptArgs) > 0 }

// ShellCommand returns the command that has a shell run a line; no shell means
// /bin/sh.
func ShellCommand(shell, line string) []string {
	return []string{cmp.Or(shell, "/bin/sh"), "-c", line}
}
