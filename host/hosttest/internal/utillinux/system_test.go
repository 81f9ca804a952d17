package utillinux_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestSystemTools(t *testing.T) {
	runCases(t, hosttest.Config{}, []shellCase{
		{"sysctl", "sysctl -w -- nosuch.key=1; echo $?; sysctl -q nosuch; echo $?; sysctl -e nosuch; echo $?; " +
			"sysctl -n kernel.panic; sysctl kernel/panic; sysctl -w foo; echo $?; sysctl -w kernel.panic=abc; " +
			"echo $?; sysctl -q -w -- net.ipv4.ip_forward=1; cat /proc/sys/net/ipv4/ip_forward; " +
			"runuser -u nobody -- sysctl -w kernel.panic=1; echo $?",
			"sysctl: cannot stat /proc/sys/nosuch/key: No such file or directory\n1\n" +
				"sysctl: cannot stat /proc/sys/nosuch: No such file or directory\n1\n0\n0\nkernel.panic = 0\n" +
				"sysctl: command line(0): invalid syntax, continuing...\n1\nsysctl: setting key \"kernel.panic\": " +
				"Invalid argument\n1\n1\nsysctl: permission denied on key \"kernel.panic\"\n1\n"},
		{"sysctl by bytes", "read -r v </proc/sys/fs/nr_open; echo $v; read -r v </proc/sys/kernel/printk; echo $v; " +
			"read -r v </proc/sys/kernel/hostname; echo $v; cat /proc/sys/fs/nr_open; " +
			"head -c 3 /proc/sys/fs/nr_open; echo; grep -saH '' -- /proc/sys/fs/nr_open /proc/sys/nosuch || echo $?",
			"1\n3\npi1\n1048576\n104\n/proc/sys/fs/nr_open:1048576\n2\n"},
		{"sysctl file", "printf '# c\\nkernel.panic=5\\nbad\\nnosuch.y = 3\\n' >/tmp/s; sysctl -q -p /tmp/s; " +
			"echo $?; sysctl kernel.panic; sysctl -p /nosuch; echo $?",
			"sysctl: /tmp/s(3): invalid syntax, continuing...\nsysctl: cannot stat /proc/sys/nosuch/y: No such file " +
				"or directory\n1\nkernel.panic = 5\nsysctl: cannot open \"/nosuch\": No such file or directory\n1\n"},
		{"modprobe", "sysctl -n net.bridge.bridge-nf-call-iptables 2>/dev/null; modprobe -- br_netfilter; echo $?; " +
			"sysctl -n net.bridge.bridge-nf-call-iptables; [ -d /sys/module/br_netfilter ]; echo $?; " +
			"modprobe nosuch; echo $?; modprobe -q nosuch; echo $?",
			"0\n1\n0\nmodprobe: FATAL: Module nosuch not found in directory /lib/modules/6.12.25+rpt-rpi-2712\n1\n1\n"},
		{"hostname", "hostname -- new; hostname; cat /proc/sys/kernel/hostname /etc/hostname; " +
			"hostnamectl set-hostname pi9; hostname; cat /etc/hostname; echo pi3 >/etc/hostname; " +
			"hostname -F /etc/hostname; hostname", "new\nnew\npi1\npi9\npi9\npi3\n"},
	})
}
