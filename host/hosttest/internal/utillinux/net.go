package utillinux

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// netTools show the machine's network.
func netTools() map[string]kernel.Program {
	return map[string]kernel.Program{"/usr/sbin/ip": cmdIP, "ss": cmdSs, "/usr/sbin/iptables": cmdIptables}
}

// The machine's one network interface; its address is Machine.address.
const (
	gateway   = "192.168.1.1"
	ethernet  = "2c:cf:67:00:00:01"
	netDev    = "eth0"
	netPrefix = "192.168.1.0/24"
)

// An iface is a network interface, as ip -j shows it.
type iface struct {
	Index     int         `json:"ifindex"`
	Name      string      `json:"ifname"`
	Flags     []string    `json:"flags"`
	MTU       int         `json:"mtu"`
	Qdisc     string      `json:"qdisc"`
	State     string      `json:"operstate"`
	Group     string      `json:"group"`
	Queue     int         `json:"txqlen"`
	Link      string      `json:"link_type"`
	Address   string      `json:"address"`
	Broadcast string      `json:"broadcast"`
	Addrs     []ifaceAddr `json:"addr_info,omitempty"`
}

type ifaceAddr struct {
	Family    string `json:"family"`
	Local     string `json:"local"`
	Prefix    int    `json:"prefixlen"`
	Broadcast string `json:"broadcast,omitempty"`
	Scope     string `json:"scope"`
	Label     string `json:"label,omitempty"`
	Valid     uint32 `json:"valid_life_time"`
	Preferred uint32 `json:"preferred_life_time"`
}

func interfaces(k *kernel.Kernel) []iface {
	const forever = 1<<32 - 1
	return []iface{
		{1, "lo", []string{"LOOPBACK", "UP", "LOWER_UP"}, 65536, "noqueue", "UNKNOWN", "default", 1000, "loopback", "00:00:00:00:00:00", "00:00:00:00:00:00",
			[]ifaceAddr{{"inet", "127.0.0.1", 8, "", "host", "lo", forever, forever}, {"inet6", "::1", 128, "", "host", "", forever, forever}}},
		{2, netDev, []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"}, 1500, "fq_codel", "UP", "default", 1000, "ether", ethernet, "ff:ff:ff:ff:ff:ff",
			[]ifaceAddr{{"inet", k.Address(), 24, "192.168.1.255", "global", netDev, forever, forever}, {"inet6", "fe80::2ecf:67ff:fe00:1", 64, "", "link", "", forever, forever}}},
	}
}

func cmdIP(p *kernel.Process) int {
	args := p.Args[1:]
	asJSON, oneLine, brief, family := false, false, false, ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-j", "-json", "--json":
			asJSON = true
		case "-o", "-oneline", "--oneline":
			oneLine = true
		case "-br", "-brief":
			brief = true
		case "-4":
			family = "inet"
		case "-6":
			family = "inet6"
		case "-p", "-pretty", "-c", "-color", "-d", "-details", "-s", "-stats", "-N":
		default:
			p.Warnf("Option \"%s\" is unknown, try \"ip -help\".\n", args[0])
			return 255
		}
		args = args[1:]
	}
	if len(args) == 0 {
		p.Warnf("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
		return 255
	}
	object := args[0]
	args = args[1:]
	verb := "show"
	if len(args) > 0 && slices.Contains([]string{"show", "list", "ls", "sh", "s", "get", "lst"}, args[0]) {
		if args[0] == "get" {
			verb = "get"
		}
		args = args[1:]
	} else if len(args) > 0 && slices.Contains([]string{"add", "del", "delete", "set", "change", "replace", "flush", "append"}, args[0]) {
		p.Warnf("hosttest: ip %s %s: this machine's network cannot be changed\n", object, args[0])
		return 2
	}
	is := func(full string) bool { return strings.HasPrefix(full, object) }
	switch {
	case is("address") || object == "addr" || is("link"):
		dev := ""
		for i := 0; i < len(args); i++ {
			switch args[i] {
			case "dev":
				if i++; i < len(args) {
					dev = args[i]
				}
			case "up":
			case "scope":
				i++
			default:
				dev = args[i]
			}
		}
		return showInterfaces(p, dev, family, is("link"), asJSON, oneLine, brief)
	case is("route"):
		switch {
		case verb == "get" && len(args) > 0 && asJSON:
			p.Printf("[{\"dst\":%q,\"gateway\":%q,\"dev\":%q,\"prefsrc\":%q,\"flags\":[],\"uid\":%d,\"cache\":[]}]\n", args[0], gateway, netDev, p.Kernel.Address(), p.UID)
		case verb == "get" && len(args) > 0:
			p.Printf("%s via %s dev %s src %s uid %d \n    cache \n", args[0], gateway, netDev, p.Kernel.Address(), p.UID)
		case family == "inet6":
			if asJSON {
				p.Print("[]\n")
			}
		case asJSON:
			def := fmt.Sprintf(`{"dst":"default","gateway":%q,"dev":%q,"protocol":"dhcp","prefsrc":%q,"metric":100,"flags":[]}`, gateway, netDev, p.Kernel.Address())
			if len(args) == 0 {
				def += fmt.Sprintf(`,{"dst":%q,"dev":%q,"protocol":"kernel","scope":"link","prefsrc":%q,"metric":100,"flags":[]}`, netPrefix, netDev, p.Kernel.Address())
			}
			p.Print("[", def, "]\n")
		default:
			p.Printf("default via %s dev %s proto dhcp src %s metric 100 \n", gateway, netDev, p.Kernel.Address())
			if len(args) == 0 {
				p.Printf("%s dev %s proto kernel scope link src %s metric 100 \n", netPrefix, netDev, p.Kernel.Address())
			}
		}
		return 0
	}
	p.Warnf("Object \"%s\" is unknown, try \"ip help\".\n", object)
	return 1
}

func showInterfaces(p *kernel.Process, dev, family string, linkOnly, asJSON, oneLine, brief bool) int {
	list := interfaces(p.Kernel)
	if dev != "" {
		list = slices.DeleteFunc(list, func(i iface) bool { return i.Name != dev })
		if len(list) == 0 {
			p.Warnf("Device \"%s\" does not exist.\n", dev)
			return 1
		}
	}
	for i := range list {
		if linkOnly {
			list[i].Addrs = nil
		}
		if family != "" {
			list[i].Addrs = slices.DeleteFunc(list[i].Addrs, func(a ifaceAddr) bool { return a.Family != family })
		}
	}
	if asJSON {
		b, err := json.Marshal(list)
		if err != nil {
			return 1
		}
		p.Print(string(b), "\n")
		return 0
	}
	for _, i := range list {
		var addrs []string
		for _, a := range i.Addrs {
			s := fmt.Sprintf("%s %s/%d", a.Family, a.Local, a.Prefix)
			if brief {
				addrs = append(addrs, fmt.Sprintf("%s/%d", a.Local, a.Prefix))
				continue
			}
			if a.Broadcast != "" {
				s += " brd " + a.Broadcast
			}
			s += " scope " + a.Scope + " " + a.Label
			addrs = append(addrs, s)
		}
		switch {
		case brief && linkOnly:
			p.Printf("%-16s %-14s %s <%s> \n", i.Name, i.State, i.Address, strings.Join(i.Flags, ","))
		case brief:
			p.Printf("%-16s %-14s %s \n", i.Name, i.State, strings.Join(addrs, " "))
		case oneLine && !linkOnly:
			for _, a := range addrs {
				p.Printf("%d: %s    %s\\       valid_lft forever preferred_lft forever\n", i.Index, i.Name, a)
			}
		default:
			sep := "\n"
			if oneLine {
				sep = "\\"
			}
			mode := ""
			if linkOnly {
				mode = " mode DEFAULT"
			}
			p.Printf("%d: %s: <%s> mtu %d qdisc %s state %s%s group %s qlen %d%s", i.Index, i.Name, strings.Join(i.Flags, ","), i.MTU, i.Qdisc, i.State, mode, i.Group, i.Queue, sep)
			if family == "" || linkOnly {
				p.Printf("    link/%s %s brd %s\n", i.Link, i.Address, i.Broadcast)
			}
			for _, a := range addrs {
				p.Printf("    %s\n       valid_lft forever preferred_lft forever\n", a)
			}
		}
	}
	return 0
}

func cmdSs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "altnupHeimo46xsr", "all>a listening>l tcp>t numeric>n udp>u processes>p no-header>H extended>e ipv4>4 ipv6>6 unix>x")
	if !ok {
		p.Warnf("Usage: ss [ OPTIONS ]\n")
		return 255
	}
	if libc.Unsupported(p, o, "e", "i", "m", "o", "p", "s", "r") {
		return 255
	}
	if !o.Has("l") || !o.Has("t") {
		p.Errorf("hosttest: this ss shows only listening TCP sockets: -ltn")
		return 255
	}
	ports := append(p.Kernel.OpenPorts(), 22)
	slices.Sort(ports)
	s := &sheet{cols: []column{{name: "State"}, {name: "Recv-Q"}, {name: "Send-Q"}, {name: "Local Address:Port", right: true}, {name: "Peer Address:Port", right: true}}, tree: -1}
	if o.Has("H") {
		s.cols[3].name, s.cols[4].name = "", "" // their width is then that of the addresses
	}
	for _, n := range slices.Compact(ports) {
		for _, any := range []string{"0.0.0.0", "[::]"} {
			if any == "[::]" && o.Has("4") || any == "0.0.0.0" && o.Has("6") {
				continue
			}
			s.rows = append(s.rows, &sheetRow{cells: []string{"LISTEN", "0", "128", fmt.Sprintf("%s:%d", any, n), any + ":*"}})
		}
	}
	s.table(p, !o.Has("H"))
	return 0
}

// cmdIptables tells its version.
func cmdIptables(p *kernel.Process) int {
	if len(p.Args) < 2 || p.Args[1] != "-V" && p.Args[1] != "--version" {
		p.Errorf("hosttest: this iptables knows only --version")
		return 2
	}
	p.Print("iptables v1.8.9 (nf_tables)\n")
	return 0
}
