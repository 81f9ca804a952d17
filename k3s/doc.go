// Package k3s makes and keeps the nodes of a cluster of k3s: servers and agents, their upgrades, snapshots of the
// datastore, and the access of an administrator. [Plan] plans all machines together, since what the others get follows
// from what the first server makes:
//
//	config := k3s.Config{
//		Version:  "v1.34.3+k3s1",
//		Binaries: map[string]k3s.Binary{"arm64": {URL: release + "/k3s-arm64", SHA256: sum}},
//		Servers:  []string{"pi1"}, Agents: []string{"pi2", "pi3"}, Address: "192.168.1.201",
//		Docker:   true, Disable: []string{"traefik"},
//	}
//	plan, err := k3s.Plan(ctx, machines, config, lab.SecretDir{Path: "/home/me/.lab/secrets"})
//	fmt.Print(plan)
//	report, err := plan.Apply(ctx, nil)
//
// # A node
//
// A machine gets the program, by its checksum, downloaded there or sent from here; config.yaml and the token, 0600; the
// unit as the installer of k3s writes it, and what it needs besides in a drop-in. What a node reads at its start has a
// fingerprint: without a change nothing is restarted, and a restart that was missed is made. No option is on a command
// line, and no secret is in config.yaml. A name that is no option of k3s is refused: k3s skips it with a warning.
//
// The first server makes the cluster; the others and the agents join it one at a time, each with a token that names the
// cluster's CA, so that it joins no other. Agents have a token of their own: that of the servers opens the datastore. Of
// several servers, the next joins when the last is a voter of etcd.
//
// # A machine that is lost
//
// A machine with a new disk becomes the node again that it was. What the cluster knows of it, its member of etcd too, is
// removed before, and it joins the servers that are left: the first server as well, which therefore makes a cluster only
// where nothing says that there is one. While nobody can be asked, and where etcd has lost its quorum, the plan is refused.
//
// # Tokens
//
// The tokens, [ServerToken] and [AgentToken], are in the sink, which gets that of a cluster that is there already. Where
// both have one, and they differ, the plan is refused before anything is restarted: k3s would not start, since the token
// decrypts its bootstrap data. [PlanRotateToken] replaces both; snapshots are restored with the token of their time, which
// the sink keeps.
//
// # Upgrades
//
// With another Version, Plan makes a snapshot of the datastore, with its token; then each node, servers first, is drained
// once the volumes of Longhorn are healthy, gets the program, must be ready with that version, and takes pods again. A
// node that is down is brought up first; while one is, no other is touched. An older version and one that skips a minor
// are refused. A run that was cut off anywhere is continued by the next: what this package has drained it has marked with
// the annotation lab.arcodange/drained-for, and makes schedulable again; what somebody else has cordoned stays so.
//
// # Snapshots
//
// [PlanSnapshot] makes one, [Snapshots] lists them, and [PlanRestore] goes back to one, with the release that made it.
// They are on the first server in /var/lib/lab/k3s/snapshots, 0700: they hold the token and the keys of the cluster. Copy
// them elsewhere. With SQLite, and without the program sqlite3 on the machine, k3s is stopped for the copy. While a
// restoration is unfinished, k3s is not started, at a boot neither.
//
// # What it refuses
//
// What cannot end well is an error of the plan, all of it at once: [lab.ErrBlocked] for a kernel without the memory
// controller, a clock that differs, a Docker Engine that does not answer, an API that does not; [lab.ErrConflict] for an
// engine that the cri-dockerd in k3s cannot use, a port of k3s that is taken, and a copied machine ID;
// [lab.ErrRefused] for a token or a CA of another cluster, a second cluster beside one that is there or may be, versions as above, a
// server that is to be an agent, and options that cannot be changed on a node, such as its networks.
//
// Plans that may lose data ([PlanRestore], [PlanUninstall]) have [lab.RiskDataLoss], and are confirmed change by change.
//
// # Access
//
// The API is asked on the first server, over SSH, with the server's own credentials: port 6443 need not be open here.
// [ReadAccess] reads an administrator's access; [Access.WriteFile] writes it to a file of its own, and [Access.Merge] puts
// it among others, of which it changes nothing.
//
// # Costs
//
// A plan of a cluster that is as wanted costs each machine two execs and no write, and one list of nodes.
//
// # Tests
//
// Package nodetest has a stand-in for k3s on the machines of hosttest. k3s itself, and its Docker mode, never ran in the
// tests of this package: what the stand-in does not do is not proved.
package k3s
