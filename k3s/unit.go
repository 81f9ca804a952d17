package k3s

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// unitText is the unit as the installer of k3s writes it (install.sh, create_systemd_service_file), so that either can
// follow the other. All options are in config.yaml: one on the command line would override it.
const unitText = `[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-/etc/systemd/system/UNIT.service.env
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s ROLE
`

// unitFile returns the unit of a machine.
func (c Config) unitFile(name string) host.UnitFile {
	unit, role := c.unit(name), "agent"
	if c.server(name) {
		role = "server"
	}
	return host.UnitFile{Name: unit + ".service", Content: strings.NewReplacer("UNIT", unit, "ROLE", role).Replace(unitText)}
}

// dropIn returns what the unit needs besides. It is a file of its own, since the installer rewrites the unit.
func (c Config) dropIn(name string) host.DropIn {
	d := host.DropIn{Unit: c.unit(name) + ".service", Name: "10-lab"}
	var b strings.Builder
	if c.server(name) {
		// Not at a boot either while a restoration is unfinished, see sh/restore.sh.
		b.WriteString("ConditionPathExists=!" + unfinished + "\n")
	}
	if c.Docker {
		// Wants, not Requires: a restart of the engine would stop k3s, and nothing would start it again.
		b.WriteString("Wants=docker.service\nAfter=docker.service\n")
	}
	if len(c.Mounts) > 0 {
		b.WriteString("RequiresMountsFor=" + strings.Join(c.Mounts, " ") + "\n")
	}
	if b.Len() > 0 {
		d.Content = "[Unit]\n" + b.String()
	}
	if !c.server(name) {
		// An agent that its server rejects, as one with another password under the name of a node, asks on for ever, and
		// whoever starts it would wait as long. systemd starts it again.
		d.Content += "[Service]\nTimeoutStartSec=10min\n"
	}
	return d
}

// commandOptions returns the options on the command line of a unit, as its file says, in the form of config.yaml: those
// of an installation by the installer of k3s.
func commandOptions(unit string) map[string]any {
	unit = strings.ReplaceAll(unit, "\\\n", " ")
	options := map[string]any{}
	for line := range strings.Lines(unit) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=")
		if !ok {
			continue
		}
		words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(command))
		for i := 1; i < len(words); i++ {
			name, isOption := strings.CutPrefix(words[i], "--")
			if !isOption {
				continue
			}
			name, value, given := strings.Cut(name, "=")
			if !given && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				i++
				value, given = words[i], true
			}
			if !given {
				options[name] = true
				continue
			}
			if list, ok := options[name].([]any); ok {
				options[name] = append(list, value)
			} else if old, ok := options[name]; ok {
				options[name] = []any{old, value}
			} else {
				options[name] = value
			}
		}
	}
	return options
}
