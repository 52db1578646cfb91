package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const unixScheme = "unix://"

// expand evaluates the go-sockaddr template in text, if there is one, and splits the result at spaces.
func (r *resolver) expand(key, text string) []string {
	if strings.Contains(text, "{{") {
		result, err := r.host.Expand(text)
		if err != nil {
			r.bad(key, "has a template that does not evaluate: %v", err)
			return nil
		}
		if strings.TrimSpace(result) == "" {
			r.bad(key, "has a template that gives no address on this host: %s", text)
			return nil
		}
		text = result
	}
	return strings.Fields(text)
}

// parseIP takes an IP address, in brackets or not.
func parseIP(text string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(text)
	return a, err == nil
}

// ip makes the field of a key that holds at most one address canonical. It gives the address, or the zero Addr for none
// and for a mistake that it has reported.
func (r *resolver) ip(key string, field *string) netip.Addr {
	list := r.expand(key, *field)
	if len(list) == 0 {
		*field = ""
		return netip.Addr{}
	}
	if len(list) > 1 {
		r.bad(key, "cannot be several addresses (%s). Must be one", strings.Join(list, ", "))
		return netip.Addr{}
	}
	a, ok := parseIP(list[0])
	if !ok {
		r.bad(key, "cannot be %q. Must be an IP address", list[0])
		return netip.Addr{}
	}
	*field = a.String()
	return a
}

// bind settles where the agent is reached by other agents.
func (r *resolver) bind() {
	if strings.TrimSpace(r.BindAddr) == "" {
		r.bad("bind_addr", "cannot be empty")
	}
	r.ip("bind_addr", &r.BindAddr)
	r.gossipAddr("serf_lan", &r.SerfLAN)
	r.gossipAddr("serf_wan", &r.SerfWAN)
}

func (r *resolver) gossipAddr(key string, field *string) {
	if r.ip(key, field); *field == "" {
		*field = r.BindAddr
	}
}

// advertise settles what the agent tells the others.
func (r *resolver) advertise() {
	before := len(r.problems)
	lan, wan := r.ip("advertise_addr", &r.AdvertiseAddr), r.ip("advertise_addr_wan", &r.AdvertiseAddrWAN)
	families := []struct {
		key   string
		field *string
		six   bool
		whole *string
	}{
		{"advertise_addr_ipv4", &r.AdvertiseAddrIPv4, false, &r.AdvertiseAddr},
		{"advertise_addr_ipv6", &r.AdvertiseAddrIPv6, true, &r.AdvertiseAddr},
		{"advertise_addr_wan_ipv4", &r.AdvertiseAddrWANIPv4, false, &r.AdvertiseAddrWAN},
		{"advertise_addr_wan_ipv6", &r.AdvertiseAddrWANIPv6, true, &r.AdvertiseAddrWAN},
	}
	for _, f := range families {
		a := r.ip(f.key, f.field)
		if a.IsValid() && a.Is6() != f.six {
			r.bad(f.key, "cannot be %s, which is of the other family", a)
		} else if a.IsValid() && *f.whole == "" {
			*f.whole = *f.field
		}
	}
	if lan.IsValid() && lan.IsUnspecified() {
		r.known(errAdvertiseAny)
	} else if wan.IsValid() && wan.IsUnspecified() {
		r.known(errAdvertiseWANAny)
	}
	if len(r.problems) > before {
		return
	}
	if r.AdvertiseAddr == "" && !r.deriveAdvertise() {
		return
	}
	if r.AdvertiseAddrWAN == "" {
		r.AdvertiseAddrWAN = r.AdvertiseAddr
	}
	for _, f := range families {
		if a, ok := parseIP(*f.whole); ok && *f.field == "" && a.Is6() == f.six {
			*f.field = *f.whole
		}
	}
	r.tagAddresses()
}

// deriveAdvertise is for agents that were not told what to advertise: the address they bind, or the only one that fits.
func (r *resolver) deriveAdvertise() bool {
	bind, ok := parseIP(r.BindAddr)
	if !ok {
		return false // reported by bind
	}
	if !bind.IsUnspecified() {
		r.AdvertiseAddr = r.BindAddr
		return true
	}
	sort, candidates := "private IPv4", r.host.PrivateIPv4
	if bind.Is6() {
		sort, candidates = "global IPv6", r.host.GlobalIPv6
	}
	found, err := candidates()
	const advice = "with -advertise, or the one to listen at with -bind"
	switch {
	case err != nil:
		r.problems.add(place{}, "this host does not tell its addresses (%v); pass the address that other agents can reach %s", err, advice)
	case len(found) == 0:
		r.problems.add(place{}, "no %s address found; pass the address that other agents can reach %s", sort, advice)
	case len(found) > 1:
		r.problems.add(place{}, "multiple %s addresses found (%s); pass the one that other agents can reach %s", sort, joined(found), advice)
	default:
		r.AdvertiseAddr = found[0].String()
		return true
	}
	return false
}

func joined(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// tagAddresses gathers the addresses that the catalog shows for this node. What tagged_addresses says wins.
func (r *resolver) tagAddresses() {
	tags := map[string]string{
		"lan": r.AdvertiseAddr, "lan_ipv4": r.AdvertiseAddrIPv4, "lan_ipv6": r.AdvertiseAddrIPv6,
		"wan": r.AdvertiseAddrWAN, "wan_ipv4": r.AdvertiseAddrWANIPv4, "wan_ipv6": r.AdvertiseAddrWANIPv6,
	}
	for tag, addr := range tags {
		if addr == "" {
			delete(tags, tag)
		}
	}
	r.TaggedAddresses = overlay[string](tags, r.TaggedAddresses).(map[string]string)
}

// servers settles the addresses of gossip and server RPC.
func (r *resolver) servers() {
	if r.Ports.SerfLAN == noPort {
		r.bad("ports.serf_lan", "cannot be disabled: every agent gossips")
	}
	if r.Ports.Server == noPort {
		r.bad("ports.server", "cannot be disabled: it is how agents reach the servers")
	}
	r.ServerBind, r.ServerAdvertise = hostPort(r.BindAddr, r.Ports.Server), hostPort(r.AdvertiseAddr, r.Ports.Server)
	r.SerfLANBind, r.SerfLANAdvertise = hostPort(r.SerfLAN, r.Ports.SerfLAN), hostPort(r.AdvertiseAddr, r.Ports.SerfLAN)
	if r.Server && r.Ports.SerfWAN != noPort {
		r.SerfWANBind, r.SerfWANAdvertise = hostPort(r.SerfWAN, r.Ports.SerfWAN), hostPort(r.AdvertiseAddrWAN, r.Ports.SerfWAN)
	}
}

// hostPort joins an address of this package, canonical or "", with a port.
func hostPort(ip string, port int) string {
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return ip + ":" + strconv.Itoa(port)
}

// listeners settles the front doors.
func (r *resolver) listeners() {
	before := len(r.problems)
	client := r.doors("client_addr", r.ClientAddr)
	if len(client) == 0 && len(r.problems) == before {
		r.bad("client_addr", "cannot be empty")
	}
	texts := make([]string, len(client))
	for i, d := range client {
		texts[i] = d.String()
	}
	r.ClientAddr = strings.Join(texts, " ")
	r.RPCRequired = r.isSet("ports.rpc") || r.isSet("addresses.rpc")
	r.DNSListeners = r.listen("addresses.dns", r.Addresses.DNS, client, r.Ports.DNS)
	r.HTTPListeners = r.listen("addresses.http", r.Addresses.HTTP, client, r.Ports.HTTP)
	if r.Ports.HTTPS != noPort {
		r.HTTPSListeners = r.listen("addresses.https", r.Addresses.HTTPS, withoutSockets(client), r.Ports.HTTPS)
	}
	r.RPCListeners = r.listen("addresses.rpc", r.Addresses.RPC, client, r.Ports.RPC)
	for _, l := range r.DNSListeners {
		if l.Network == "unix" && r.Addresses.DNS == "" {
			r.bad("client_addr", "has the unix socket %s, which DNS cannot use. Set addresses.dns to IP addresses, too", l.Address)
		} else if l.Network == "unix" {
			r.bad("addresses.dns", "cannot be the unix socket %s. Must be IP addresses", l.Address)
		}
	}
}

// door is where clients come in: an IP address, or the path of a unix socket.
type door struct {
	ip     netip.Addr
	socket string
}

func (d door) String() string {
	if d.socket != "" {
		return unixScheme + d.socket
	}
	return d.ip.String()
}

// doors parses the addresses of a key, each once: templates may give one twice.
func (r *resolver) doors(key, text string) []door {
	var all []door
	for _, item := range r.expand(key, text) {
		path, isSocket := strings.CutPrefix(item, unixScheme)
		ip, isIP := parseIP(item)
		switch {
		case isSocket && path == "":
			r.bad(key, "has %q, which names no file", item)
		case isSocket:
			all = appendOnce(all, door{socket: path})
		case isIP:
			all = appendOnce(all, door{ip: ip})
		default:
			r.bad(key, "has %q. Must be IP addresses or %s paths", item, unixScheme)
		}
	}
	return all
}

func appendOnce[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// listen gives the listeners of one front door: at its own addresses, or at those of client_addr. A disabled port leaves
// the sockets.
func (r *resolver) listen(key, own string, client []door, port int) []Listener {
	doors := client
	if own != "" {
		doors = r.doors(key, own)
	}
	var all []Listener
	for _, d := range doors {
		if d.socket != "" {
			all = append(all, Listener{Network: "unix", Address: d.socket})
		} else if port != noPort {
			all = append(all, Listener{Network: "tcp", Address: hostPort(d.ip.String(), port)})
		}
	}
	return all
}

// withoutSockets are the doors with a port: a socket of client_addr is for HTTP, and two cannot have it.
func withoutSockets(doors []door) (some []door) {
	for _, d := range doors {
		if d.socket == "" {
			some = append(some, d)
		}
	}
	return some
}

// sockets judges whose the socket files are to be. Names are looked up by who opens them.
func (r *resolver) sockets() {
	if m := r.UnixSockets.Mode; m != "" {
		if _, err := strconv.ParseUint(m, 8, 9); err != nil {
			r.bad("unix_sockets.mode", "cannot be %q. Must be permissions in octal, such as 0770", m)
		}
	}
}

// claim is one listener's right to a port.
type claim struct {
	key string
	at  netip.AddrPort
}

// ports refuses two listeners for one port of one address. The default RPC listener, which nobody asked for, yields.
func (r *resolver) ports() {
	var taken []claim
	if r.Server {
		taken = r.claim(taken, "ports.server", r.ServerBind)
	}
	taken = r.claim(taken, "ports.serf_lan", r.SerfLANBind)
	taken = r.claim(taken, "ports.serf_wan", r.SerfWANBind)
	for _, l := range r.DNSListeners {
		taken = r.claim(taken, "ports.dns", l.Address)
	}
	for _, l := range r.HTTPListeners {
		taken = r.claim(taken, "ports.http", l.Address)
	}
	for _, l := range r.HTTPSListeners {
		taken = r.claim(taken, "ports.https", l.Address)
	}
	if c := r.inTheWay(taken); c != nil && !r.RPCRequired {
		r.warn(c.key, "%s is %d, the default of ports.rpc: the RPC listener is off", c.key, c.at.Port())
		r.RPCListeners = nil
	}
	for _, l := range r.RPCListeners {
		taken = r.claim(taken, "ports.rpc", l.Address)
	}
}

// claim takes a port for a key, or says who has it. What is not an ip:port is disabled, a socket, or was reported before.
func (r *resolver) claim(taken []claim, key, at string) []claim {
	now, err := netip.ParseAddrPort(at)
	if err != nil {
		return taken
	}
	for _, c := range taken {
		if c.collides(now) {
			r.problems.add(r.at(key), "%s and %s are both %d on %s. Give one of them another port, or -1 to disable it", c.key, key, now.Port(), c.sharedWith(now))
			return taken
		}
	}
	return append(taken, claim{key, now})
}

// inTheWay is the first claim that the RPC listeners collide with, or nil.
func (r *resolver) inTheWay(taken []claim) *claim {
	for _, l := range r.RPCListeners {
		now, err := netip.ParseAddrPort(l.Address)
		for _, c := range taken {
			if err == nil && c.collides(now) {
				return &c
			}
		}
	}
	return nil
}

// collides reports whether both want one port of one address. 0.0.0.0 and :: are every address of both families, which
// is how Go listens there.
func (c claim) collides(o netip.AddrPort) bool {
	a, b := c.at.Addr(), o.Addr()
	return c.at.Port() == o.Port() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

// sharedWith is the address that both want.
func (c claim) sharedWith(o netip.AddrPort) netip.Addr {
	if c.at.Addr().IsUnspecified() {
		return o.Addr()
	}
	return c.at.Addr()
}
