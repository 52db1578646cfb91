// Package socket opens unix sockets as the listeners of an agent want them.
//
//	http, rpc ──Listen──▶ a socket file with its owner and its permissions
//
// It is no actor and keeps nothing. The file of an agent that was killed is in the way
// of its successor; it is removed when nobody listens there. A file that is no socket is
// left alone.
package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// Scheme is what an address that is the path of a socket begins with.
const Scheme = "unix://"

// Path returns the path of the socket that an address names, if it names one.
func Path(address string) (path string, ok bool) { return strings.CutPrefix(address, Scheme) }

// Owner is whose a socket file is and what others may do with it (unix_sockets). What is
// empty stays as the system makes it. Who may write to the file may connect.
type Owner struct {
	User, Group string // names or numbers
	Mode        string // permissions in octal
}

// Listen opens the socket. The file goes when the listener is closed.
func Listen(path string, o Owner) (net.Listener, error) {
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && removeDead(path) {
		ln, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := o.apply(path); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeDead removes the file of a socket at which nobody listens.
func removeDead(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil
}

func (o Owner) apply(path string) error {
	uid, err := number(o.User, "user", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return err
	}
	gid, err := number(o.Group, "group", func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Chown(path, uid, gid); err != nil {
			return fmt.Errorf("unix_sockets: %w", err)
		}
	}
	if o.Mode == "" {
		return nil
	}
	mode, err := strconv.ParseUint(o.Mode, 8, 9)
	if err != nil {
		return fmt.Errorf("unix_sockets.mode cannot be %q: it is permissions in octal, such as 0770", o.Mode)
	}
	return os.Chmod(path, fs.FileMode(mode))
}

// number returns the number of a user or a group; -1 where none is given.
func number(name, what string, lookUp func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, nil
	}
	text, err := lookUp(name)
	if err != nil {
		return -1, fmt.Errorf("unix_sockets.%s: %w", what, err)
	}
	return strconv.Atoi(text)
}
