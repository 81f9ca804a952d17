package utillinux

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

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
	} else if len(args) > 0 &&
		slices.Contains([]string{"add", "del", "delete", "set", "change", "replace", "flush", "append"}, args[0]) {
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
		showRoutes(p, verb, family, args, asJSON)
		return 0
	}
	p.Warnf("Object \"%s\" is unknown, try \"ip help\".\n", object)
	return 1
}

// showRoutes is ip route: the way to one address (get), or the table.
func showRoutes(p *kernel.Process, verb, family string, args []string, asJSON bool) {
	switch {
	case verb == "get" && len(args) > 0 && asJSON:
		p.Printf("[{\"dst\":%q,\"gateway\":%q,\"dev\":%q,\"prefsrc\":%q,\"flags\":[],\"uid\":%d,\"cache\":[]}]\n",
			args[0], gateway, netDev, p.Kernel.Address(), p.UID)
	case verb == "get" && len(args) > 0:
		p.Printf("%s via %s dev %s src %s uid %d \n    cache \n", args[0], gateway, netDev, p.Kernel.Address(),
			p.UID)
	case family == "inet6":
		if asJSON {
			p.Print("[]\n")
		}
	case asJSON:
		def := fmt.Sprintf(`{"dst":"default","gateway":%q,"dev":%q,"protocol":"dhcp","prefsrc":%q,`+
			`"metric":100,"flags":[]}`, gateway, netDev, p.Kernel.Address())
		if len(args) == 0 {
			def += fmt.Sprintf(`,{"dst":%q,"dev":%q,"protocol":"kernel","scope":"link","prefsrc":%q,`+
				`"metric":100,"flags":[]}`, netPrefix, netDev, p.Kernel.Address())
		}
		p.Print("[", def, "]\n")
	default:
		p.Printf("default via %s dev %s proto dhcp src %s metric 100 \n", gateway, netDev, p.Kernel.Address())
		if len(args) == 0 {
			p.Printf("%s dev %s proto kernel scope link src %s metric 100 \n", netPrefix, netDev,
				p.Kernel.Address())
		}
	}
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
			p.Printf("%d: %s: <%s> mtu %d qdisc %s state %s%s group %s qlen %d%s", i.Index, i.Name,
				strings.Join(i.Flags, ","), i.MTU, i.Qdisc, i.State, mode, i.Group, i.Queue, sep)
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
