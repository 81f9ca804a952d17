package utillinux

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdSs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "altnupHeimo46xsr",
		"all>a listening>l tcp>t numeric>n udp>u processes>p no-header>H extended>e ipv4>4 ipv6>6 unix>x")
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
	s := &sheet{cols: []column{{name: "State"}, {name: "Recv-Q"}, {name: "Send-Q"},
		{name: "Local Address:Port", right: true}, {name: "Peer Address:Port", right: true}}, tree: -1}
	if o.Has("H") {
		s.cols[3].name, s.cols[4].name = "", "" // their width is then that of the addresses
	}
	for _, n := range slices.Compact(ports) {
		for _, any := range []string{"0.0.0.0", "[::]"} {
			if any == "[::]" && o.Has("4") || any == "0.0.0.0" && o.Has("6") {
				continue
			}
			s.rows = append(s.rows,
				&sheetRow{cells: []string{"LISTEN", "0", "128", fmt.Sprintf("%s:%d", any, n), any + ":*"}})
		}
	}
	s.table(p, !o.Has("H"))
	return 0
}
