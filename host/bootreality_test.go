package host_test

import "gitea.arcodange.lab/arcodange-org/lab/host"

func bootRealities() []reality {
	forward := host.State{host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"}}
	const now, line, late = "sysctl:net.ipv4.ip_forward/now", "sysctl:net.ipv4.ip_forward", "sysctl:net.ipv4.ip_forward/boot"
	const reset = "sysctl -q -w net.ipv4.ip_forward=0; rm -f /etc/sysctl.d/90-lab.conf /etc/sysctl.d/zz-lab.conf\n"
	// booted does what is done at boot, and succeeds if the parameter is set after that.
	const booted = "systemctl restart systemd-sysctl.service; [ \"$(cat /proc/sys/net/ipv4/ip_forward)\" = 1 ]"
	clear := "rm -f /etc/sysctl.d/95-x.conf /etc/sysctl.d/zzz.conf /usr/lib/sysctl.d/97-x.conf /run/sysctl.d/97-x.conf; sed -i /ip_forward/d /etc/sysctl.conf\n" + reset
	return []reality{
		{name: "nothing else sets a parameter", do: reset, state: forward, plan: []string{line, now}, check: booted, undo: clear},
		{
			name: "sysctl.conf sets it to something else", do: reset + "echo net.ipv4.ip_forward=0 >>/etc/sysctl.conf; ln -sf ../sysctl.conf /etc/sysctl.d/99-sysctl.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name: "a later file sets it with slashes and a dash", do: reset + "echo ' - net/ipv4/ip_forward = 0' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name: "a later file sets it under its other name", do: reset + "echo net.ipv4.conf.all.forwarding=0 >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name: "a package's file comes later", do: reset + "echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/97-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name:  "a package's file comes later, and another hides it",
			do:    reset + "echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/97-x.conf; mkdir -p /run/sysctl.d; ln -sf /dev/null /run/sysctl.d/97-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name: "comments and other parameters", do: reset + "printf '# net.ipv4.ip_forward=0\\n;net.ipv4.ip_forward=0\\nnet.ipv4.ip_forward_x=0\\n' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name: "a pattern comes later", do: reset + "echo 'net.ipv4.conf.*.forwarding=0' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, undo: clear,
		},
		{
			name: "the same value comes later", do: reset + "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name: "our own file has it twice", do: "printf 'net.ipv4.ip_forward = 1\\nnet/ipv4/ip_forward=0\\n' >/etc/sysctl.d/90-lab.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name: "our own file, under a name that is not read", do: reset,
			state: host.State{host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1", File: "/etc/sysctl.d/lab"}},
			plan:  []string{line, late, now}, check: booted, undo: clear + "rm /etc/sysctl.d/lab",
		},
		{
			name: "a file comes after all others", do: reset + "echo net.ipv4.ip_forward=0 >/etc/sysctl.d/zzz.conf",
			state: forward, refused: "/etc/sysctl.d/zzz.conf sets net.ipv4.ip_forward = 0 at boot", undo: clear,
		},
		{
			name: "the later file is edited by the same plan", do: reset + "echo net.ipv4.ip_forward=0 >/etc/sysctl.d/95-x.conf",
			state: append(host.State{host.Line{Path: "/etc/sysctl.d/95-x.conf", Match: "ip_forward", Absent: true}}, forward...),
			plan:  []string{"line:/etc/sysctl.d/95-x.conf:ip_forward", line, now}, check: booted, undo: clear,
		},
		{
			name: "a key with slashes", do: reset, state: host.State{host.Sysctl{Key: "net/ipv4/ip_forward", Value: "1"}},
			plan: []string{"sysctl:net/ipv4/ip_forward", "sysctl:net/ipv4/ip_forward/now"}, check: booted, undo: clear,
		},
	}
}
