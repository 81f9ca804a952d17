package utillinux

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

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
		{1, "lo", []string{"LOOPBACK", "UP", "LOWER_UP"}, 65536, "noqueue", "UNKNOWN", "default", 1000, "loopback",
			"00:00:00:00:00:00", "00:00:00:00:00:00",
			[]ifaceAddr{{"inet", "127.0.0.1", 8, "", "host", "lo", forever, forever},
				{"inet6", "::1", 128, "", "host", "", forever, forever}}},
		{2, netDev, []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"}, 1500, "fq_codel", "UP", "default", 1000,
			"ether", ethernet, "ff:ff:ff:ff:ff:ff",
			[]ifaceAddr{{"inet", k.Address(), 24, "192.168.1.255", "global", netDev, forever, forever},
				{"inet6", "fe80::2ecf:67ff:fe00:1", 64, "", "link", "", forever, forever}}},
	}
}
