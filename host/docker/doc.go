// Package docker installs Docker Engine on a machine and keeps it: Docker's own packages from Docker's package source,
// or Debian's, at pinned versions that upgrades leave alone, with a daemon.json that dockerd has accepted, and the CA
// certificates of private registries. A [Config] is written once for all machines; State is a pure function to a
// [host.State], so that a machine's plan shows every change:
//
//	c := docker.Config{
//		Version: "5:28.1.1-1~debian.12~bookworm", Containerd: "1.7.27-1",
//		Registries: []docker.Registry{{Host: "gitea.arcodange.lab", CA: root}},
//		ClientAPI: "1.44", // of the cri-dockerd of k3s, if it runs with --docker
//	}
//	plan, err := m.Plan(ctx, c.State())
//
// # What it never does
//
// It does not stop your containers unless you say so. A restart of the engine stops every container, and every pod of a
// k3s that runs with --docker: drain the node, then set Restart. Until then a changed daemon.json is written and takes
// effect at the next start, which the plan says, and a change of the engine's version is refused. An engine without
// running containers is restarted without being asked.
//
// It does not lose data. A daemon.json that would let the engine look elsewhere for its images and volumes (data-root,
// storage-driver, userns-remap) is refused: the containers would be gone, though their data were still there. One with
// which the engine does not start again is replaced by the one before it, and the engine started with that.
//
// It does not remove what you installed. docker.io, podman-docker and the others that Docker's packages exclude are
// refused in the plan, unless Replace is set; Docker's containers, images and volumes are kept then, since both use
// /var/lib/docker.
//
// It trusts no key but Docker's: the fingerprint 9DC8 5822 9FC7 DD38 854A E2D8 8D81 803C 0EBF CD88 is checked wherever
// the key comes from. If another file of the machine names the same source with another key, as the one that
// get.docker.com writes does, the plan says which; Replace removes that one.
//
// # Docker and k3s
//
// The Docker API version that k3s speaks, with --docker, must lie in the window of the engine: Docker Engine 29 rejects
// clients below 1.44, and Debian 12's docker.io 20.10 speaks at most 1.41, which is too old for cri-dockerd (Mirantis
// issue 346). With ClientAPI set, [CheckAPI] compares them: by the version before anything is installed, and by what the
// engine answers once it runs.
//
// # Debian's own package
//
// Package: "docker.io" installs Debian's, without any other source. Debian 12's has no "dockerd --validate": there a
// daemon.json is tried by the restart alone, with the way back that is described above. Since Debian 13 the client is a
// package of its own: Packages: ["docker-cli"].
//
// # Errors
//
// What is wrong with a Config is a [lab.Problems] with the paths of its fields; State does not look for it. What is in
// the way on a machine is an error of its plan, [lab.ErrRefused] or [lab.ErrConflict], whose hint says what to do.
//
// Package dockertest has an engine for machines of hosttest.
package docker
