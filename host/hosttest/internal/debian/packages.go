package debian

import (
	"slices"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// packages is the archive that every machine's sources provide: what a lab installs, and the base system. It is made
// once and never changes.
var packages = sync.OnceValue(makePackages)

func makePackages() []apt.Package {
	out := slices.Concat(toolPackages(), storagePackages(), systemPackages(), dockerPackages(), testPackages())
	have := map[string]bool{}
	for _, pk := range out {
		have[pk.Name] = true
	}
	for line := range strings.Lines(apt.BasePackages) {
		f := strings.Fields(line)
		if have[f[0]] {
			continue
		}
		pk := apt.Package{Name: f[0], Version: f[1]}
		if len(f) > 4 && strings.Contains(f[4], "a") {
			pk.Arch = "all"
		}
		out = append(out, pk)
	}
	return out
}

// toolPackages are the tools that a lab installs on a machine.
func toolPackages() []apt.Package {
	return []apt.Package{
		{Name: "age", Version: "1.1.1-1+b3", Commands: commands("age age-keygen")},
		{Name: "ca-certificates", Version: "20230311+deb12u1", Arch: "all", Depends: "openssl (>= 1.1.1)",
			Postinst: "update-ca-certificates"},
		{
			Name: "chrony", Version: "4.3-2+deb12u1", Provides: "time-daemon", Conflicts: "systemd-timesyncd",
			Users: []string{"_chrony"}, Commands: commands("chronyc /usr/sbin/chronyd"),
			Conffiles: map[string]string{"/etc/chrony/chrony.conf": "pool 2.debian.pool.ntp.org iburst\n"},
			Units: map[string]string{"chrony.service": "[Unit]\nDescription=chrony, an NTP client/server\n\n" +
				"[Service]\nExecStart=/usr/sbin/chronyd -F 1 -d\n\n[Install]\nWantedBy=multi-user.target\n" +
				"Alias=chronyd.service\n"},
		},
		{Name: "libdevmapper1.02.1", Version: "2:1.02.185-2", Depends: "dmsetup (>= 2:1.02.185-2)"},
		{Name: "dmsetup", Version: "2:1.02.185-2", Commands: commands("/usr/sbin/dmsetup")},
		{Name: "libcryptsetup12", Version: "2:2.6.1-4~deb12u2", Depends: "libdevmapper1.02.1"},
		{Name: "cryptsetup-bin", Version: "2:2.6.1-4~deb12u2", Depends: "libcryptsetup12 (>= 2:2.6)",
			Commands: commands("/usr/sbin/cryptsetup /usr/sbin/veritysetup")},
		{
			Name: "cryptsetup", Version: "2:2.6.1-4~deb12u2", Depends: "cryptsetup-bin (>= 2:1.6.0), dmsetup",
			Files:     map[string]string{"/lib/cryptsetup/functions": "# functions of the boot scripts\n"},
			Conffiles: map[string]string{"/etc/default/cryptdisks": "CRYPTDISKS_ENABLE=Yes\n"},
			Postinst: "[ -e /etc/crypttab ] || printf '# <target name>\\t<source device>\\t\\t<key " +
				"file>\\t<options>\\n' >/etc/crypttab",
		},
		{Name: "libcurl4", Version: "7.88.1-10+deb12u12"},
		{Name: "curl", Version: "7.88.1-10+deb12u12", Depends: "libcurl4 (= 7.88.1-10+deb12u12)",
			Commands: commands("curl")},
		{Name: "libonig5", Version: "6.9.8-1"},
		{Name: "libjq1", Version: "1.6-2.1+deb12u1", Depends: "libonig5 (>= 6.9.8)"},
		{Name: "jq", Version: "1.6-2.1+deb12u1", Depends: "libjq1 (= 1.6-2.1+deb12u1)", Commands: commands("jq")},
		{Name: "gpg", Version: "2.2.40-1.1", Commands: commands("gpg")},
		{Name: "gnupg", Version: "2.2.40-1.1", Arch: "all", Depends: "gpg (>= 2.2.40-1.1)"},
		{Name: "sqlite3", Version: "3.40.1-2+deb12u1", Commands: commands("sqlite3")},
		{Name: "htop", Version: "3.2.2-2", Commands: commands("htop")},
		{Name: "vim", Version: "2:9.0.1378-2+deb12u2", Commands: commands("vim")},
		{Name: "git", Version: "1:2.39.5-0+deb12u2", Commands: commands("git")},
		{Name: "postgresql-client-15", Version: "15.13-0+deb12u1", Commands: commands("psql pg_dump pg_restore")},
		{Name: "postgresql-client", Version: "15+248", Arch: "all", Depends: "postgresql-client-15"},
	}
}

// storagePackages are iSCSI, multipath and NFS.
func storagePackages() []apt.Package {
	return []apt.Package{
		{Name: "libisns0", Version: "0.101-0.2+b1"},
		{Name: "libopeniscsiusr", Version: "2.1.8-1+deb12u1"},
		{
			Name: "open-iscsi", Version: "2.1.8-1+deb12u1",
			Depends:  "udev, libisns0 (>= 0.100), libopeniscsiusr (>= 2.0.875)",
			Commands: commands("/usr/sbin/iscsiadm /usr/sbin/iscsid /usr/sbin/iscsi-iname"),
			Conffiles: map[string]string{"/etc/iscsi/iscsid.conf": "iscsid.startup = /bin/systemctl start " +
				"iscsid.socket\nnode.startup = manual\n"},
			Units: map[string]string{
				"iscsid.service": "[Unit]\nDescription=iSCSI initiator daemon (iscsid)\nAfter=network.target\n\n" +
					"[Service]\nType=notify\nNotifyAccess=main\nExecStart=/sbin/iscsid -f\nKillMode=mixed\n" +
					"Restart=on-failure\n\n[Install]\nWantedBy=multi-user.target\nAlso=iscsid.socket\n",
				"iscsid.socket": "[Unit]\nDescription=Open-iSCSI iscsid Socket\n\n[Socket]\n" +
					"ListenStream=@ISCSIADM_ABSTRACT_NAMESPACE\n\n[Install]\nWantedBy=sockets.target\n",
				"open-iscsi.service": "[Unit]\nDescription=Login to default iSCSI targets\n" +
					"ConditionDirectoryNotEmpty=|/etc/iscsi/nodes\nAfter=network-online.target iscsid.service\n" +
					"Wants=network-online.target\n\n[Service]\nType=oneshot\nRemainAfterExit=true\n" +
					"ExecStart=/sbin/iscsiadm -m node --loginall=automatic\n\n[Install]\nWantedBy=sysinit.target\n" +
					"Alias=iscsi.service\n",
			},
			Disabled: []string{"iscsid.service"},
			Postinst: "[ -e /etc/iscsi/initiatorname.iscsi ] || {\numask 077\n" +
				"read -r id </proc/sys/kernel/random/uuid\nprintf 'InitiatorName=iqn.1993-08.org.debian:01:%s\\n' " +
				"\"${id##*-}\" >/etc/iscsi/initiatorname.iscsi\n}",
		},
		{
			Name: "multipath-tools", Version: "0.9.4-3+deb12u1",
			Commands: commands("/usr/sbin/multipathd /usr/sbin/multipath"),
			Units: map[string]string{"multipathd.service": "[Unit]\nDescription=Device-Mapper Multipath Device " +
				"Controller\n\n[Service]\nType=notify\nExecStart=/sbin/multipathd -d -s\n\n[Install]\n" +
				"WantedBy=sysinit.target\n"},
		},
		{
			Name: "rpcbind", Version: "1.2.6-6+b1", Users: []string{"_rpc"}, Commands: commands("/usr/sbin/rpcbind"),
			Units: map[string]string{"rpcbind.service": "[Unit]\nDescription=RPC bind portmap service\n\n[Service]\n" +
				"Type=notify\nExecStart=/sbin/rpcbind -f -w\n\n[Install]\nWantedBy=multi-user.target\n"},
		},
		{
			Name: "nfs-common", Version: "1:2.6.2-4+deb12u1", Depends: "adduser, rpcbind", Users: []string{"statd"},
			Commands:  commands("/usr/sbin/mount.nfs /usr/sbin/mount.nfs4 /usr/sbin/showmount /usr/sbin/rpc.statd"),
			Conffiles: map[string]string{"/etc/default/nfs-common": "NEED_STATD=\n"},
			Units: map[string]string{
				"nfs-client.target": "[Unit]\nDescription=NFS client services\n\n[Install]\n" +
					"WantedBy=multi-user.target remote-fs.target\n",
				"rpc-statd.service": "[Unit]\nDescription=NFS status monitor for NFSv2/3 locking.\n\n[Service]\n" +
					"ExecStart=/sbin/rpc.statd\n",
			},
		},
		{
			Name: "nfs-kernel-server", Version: "1:2.6.2-4+deb12u1", Depends: "nfs-common (= 1:2.6.2-4+deb12u1)",
			Commands:  commands("/usr/sbin/exportfs /usr/sbin/rpc.nfsd"),
			Conffiles: map[string]string{"/etc/default/nfs-kernel-server": "RPCNFSDCOUNT=8\n"},
			Postinst:  "[ -e /etc/exports ] || echo '# /etc/exports: see exports(5)' >/etc/exports",
			Units: map[string]string{"nfs-server.service": "[Unit]\nDescription=NFS server and services\n\n" +
				"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecReload=/bin/true\n\n" +
				"[Install]\nWantedBy=multi-user.target\nAlias=nfs-kernel-server.service\n"},
		},
	}
}

// systemPackages are services that keep the system itself.
func systemPackages() []apt.Package {
	return []apt.Package{
		{
			Name: "rsync", Version: "3.2.7-1+deb12u2", Commands: commands("rsync"),
			Units: map[string]string{"rsync.service": "[Unit]\nDescription=fast remote file copy program daemon\n" +
				"ConditionPathExists=/etc/rsyncd.conf\n\n[Service]\nExecStart=/usr/bin/rsync --daemon --no-detach\n\n" +
				"[Install]\nWantedBy=multi-user.target\n"},
		},
		{
			Name: "unattended-upgrades", Version: "2.9.1+nmu3", Arch: "all", Depends: "apt, debconf",
			Commands: map[string]kernel.Program{"unattended-upgrade": apt.UnattendedUpgrade,
				"/usr/share/unattended-upgrades/unattended-upgrade-shutdown": nil},
			Conffiles: map[string]string{
				"/etc/apt/apt.conf.d/50unattended-upgrades": "Unattended-Upgrade::Origins-Pattern {\n" +
					"\t\"origin=Debian,codename=${distro_codename},label=Debian\";\n" +
					"\t\"origin=Debian,codename=${distro_codename},label=Debian-Security\";\n};\n" +
					"Unattended-Upgrade::Package-Blacklist {\n};\n",
			},
			Postinst: "[ -e /etc/apt/apt.conf.d/20auto-upgrades ] || printf 'APT::Periodic::Update-Package-Lists " +
				"\"1\";\\nAPT::Periodic::Unattended-Upgrade \"1\";\\n' >/etc/apt/apt.conf.d/20auto-upgrades",
			Units: map[string]string{"unattended-upgrades.service": "[Unit]\n" +
				"Description=Unattended Upgrades Shutdown\n\n[Service]\n" +
				"ExecStart=/usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait-for-signal\n" +
				"KillMode=process\n\n[Install]\nWantedBy=multi-user.target\n"},
		},
		{
			Name: "systemd-timesyncd", Version: "252.38-1~deb12u1", Depends: "systemd", Provides: "time-daemon",
			Conflicts: "chrony", Users: []string{"systemd-timesync"},
			Commands:  commands("/lib/systemd/systemd-timesyncd"),
			Conffiles: map[string]string{"/etc/systemd/timesyncd.conf": "[Time]\n#NTP=\n"},
			Units:     map[string]string{"systemd-timesyncd.service": systemd.BaseUnits()["systemd-timesyncd.service"]},
		},
	}
}

// dockerPackages are Docker as Debian packages it, and as its makers do.
func dockerPackages() []apt.Package {
	return []apt.Package{
		{Name: "runc", Version: "1.1.5+ds1-1+deb12u1", Commands: commands("/usr/sbin/runc")},
		{Name: "containerd", Version: "1.6.20~ds1-1+deb12u1", Depends: "runc", Conflicts: "containerd.io",
			Commands: commands("containerd"), Units: map[string]string{"containerd.service": containerdUnit}},
		dockerEngine(apt.Package{Name: "docker.io", Version: "20.10.24+dfsg1-1+deb12u1+b6",
			Depends: "adduser, containerd (>= 1.4), runc, iptables", Conflicts: "docker-ce, docker-ce-cli",
			Commands: commands("docker /usr/sbin/dockerd")}),
		{Name: "containerd.io", Version: "1.7.27-1", Conflicts: "containerd, runc", Source: dockerSource,
			Commands: commands("containerd runc"), Units: map[string]string{"containerd.service": containerdUnit}},
		{Name: "docker-ce-cli", Version: "5:28.1.1-1~debian.12~bookworm", Source: dockerSource, Conflicts: "docker.io",
			Commands: commands("docker")},
		{Name: "docker-ce-cli", Version: "5:27.5.1-1~debian.12~bookworm", Source: dockerSource, Conflicts: "docker.io",
			Commands: commands("docker")},
		dockerEngine(apt.Package{Name: "docker-ce", Version: "5:28.1.1-1~debian.12~bookworm", Source: dockerSource,
			Depends: "containerd.io (>= 1.7.27), docker-ce-cli, iptables", Conflicts: "docker.io",
			Commands: commands("dockerd")}),
		dockerEngine(apt.Package{Name: "docker-ce", Version: "5:27.5.1-1~debian.12~bookworm", Source: dockerSource,
			Depends: "containerd.io (>= 1.6.24), docker-ce-cli, iptables", Conflicts: "docker.io",
			Commands: commands("dockerd")}),
		{Name: "docker-compose-plugin", Version: "2.35.1-1~debian.12~bookworm", Source: dockerSource,
			Depends: "docker-ce-cli", Commands: commands("/usr/libexec/docker/cli-plugins/docker-compose")},
		{Name: "docker-buildx-plugin", Version: "0.23.0-1~debian.12~bookworm", Source: dockerSource,
			Depends: "docker-ce-cli", Commands: commands("/usr/libexec/docker/cli-plugins/docker-buildx")},
	}
}

// testPackages are for tests of packages themselves.
func testPackages() []apt.Package {
	return []apt.Package{
		{Name: "lab-test-a", Version: "1.0", Arch: "all",
			Files: map[string]string{"/usr/share/lab-test-a/version": "1.0\n"}},
		{Name: "lab-test-a", Version: "1.1", Arch: "all",
			Files: map[string]string{"/usr/share/lab-test-a/version": "1.1\n"}},
		{Name: "lab-test-b", Version: "2.0", Arch: "all", Depends: "lab-test-a (>= 1.0)",
			Files: map[string]string{"/usr/share/lab-test-b/version": "2.0\n"}},
		{Name: "lab-test-conf", Version: "1.0", Arch: "all",
			Conffiles: map[string]string{"/etc/lab-test.conf": "# written by lab-test-conf 1.0\ngreeting = hello\n"}},
		{Name: "lab-test-conf", Version: "1.1", Arch: "all",
			Conffiles: map[string]string{"/etc/lab-test.conf": "# written by lab-test-conf 1.1\n" +
				"greeting = good day\n"}},
		{Name: "lab-test-svc", Version: "1.0", Arch: "all",
			Units: map[string]string{"lab-test-svc.service": "[Unit]\nDescription=A service for tests\n\n[Service]\n" +
				"ExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n"}},
	}
}

const dockerSource = "download.docker.com"

const containerdUnit = "[Unit]\nDescription=containerd container runtime\nAfter=network.target\n\n[Service]\n" +
	"Type=notify\nExecStart=/usr/bin/containerd\nDelegate=yes\nKillMode=process\nRestart=always\nRestartSec=5\n\n" +
	"[Install]\nWantedBy=multi-user.target\n"

// dockerEngine adds what Docker's daemon has by whichever name it is packaged.
func dockerEngine(pk apt.Package) apt.Package {
	exec := "/usr/bin/dockerd"
	if pk.Source == "" {
		exec = "/usr/sbin/dockerd"
	}
	pk.Groups = []string{"docker"}
	pk.Units = map[string]string{
		"docker.service": "[Unit]\nDescription=Docker Application Container Engine\n" +
			"After=network-online.target docker.socket containerd.service\n" +
			"Wants=network-online.target containerd.service\nRequires=docker.socket\n\n[Service]\nType=notify\n" +
			"ExecStart=" + exec + " -H fd:// --containerd=/run/containerd/containerd.sock\n" +
			"ExecReload=/bin/kill -s HUP $MAINPID\nRestart=always\nRestartSec=2\nDelegate=yes\nKillMode=process\n\n" +
			"[Install]\nWantedBy=multi-user.target\n",
		"docker.socket": "[Unit]\nDescription=Docker Socket for the API\n\n[Socket]\nListenStream=/run/docker.sock\n" +
			"SocketMode=0660\nSocketUser=root\nSocketGroup=docker\n\n[Install]\nWantedBy=sockets.target\n",
	}
	return pk
}

// commands are programs that only Machine.Handle can give.
func commands(names string) map[string]kernel.Program {
	out := map[string]kernel.Program{}
	for n := range strings.FieldsSeq(names) {
		out[n] = nil
	}
	return out
}
