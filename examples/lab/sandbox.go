package main

import (
	"context"
	"net/netip"
	"os"
	"slices"

	cryptossh "golang.org/x/crypto/ssh"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns/dnstest"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker/dockertest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca/stepcatest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest"
)

// sandboxName is the environment of the sandbox, and of a config that names none.
const sandboxName = "sandbox"

// sandbox builds the lab in this process: a machine for every host of the lab that is reached over
// SSH, with a docker, and a database server. All of it is forgotten when the program ends.
func (l *Lab) sandbox(ctx context.Context) (_ *site, err error) {
	l.Environment = sandboxName
	var closers []func() error
	s := &site{}
	s.close = func() {
		s.shut()
		for _, c := range slices.Backward(closers) {
			_ = c() // what it leaves ends with the program, or is in the system's directory for what is temporary
		}
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	net := dnstest.Start()
	closers = append(closers, net.Close)
	s.lan = net
	var boxes []*hosttest.Machine
	for _, h := range l.chosen() {
		box, err := hosttest.Start(hosttest.Config{Hostname: "raspberrypi", User: userOf(h, l)})
		if err != nil {
			return nil, err
		}
		boxes = append(boxes, box)
		m := sandboxMachine(h, box)
		closers = append(closers, m.Close, box.Close)
		s.machines = append(s.machines, m)
	}
	if l.Stacks != nil {
		dir, err := os.MkdirTemp("", "lab-sandbox-")
		if err != nil {
			return nil, err
		}
		closers = append(closers, func() error { return os.RemoveAll(dir) })
		s.stacks = &stackSource{sink: lab.SecretDir{Path: dir}}
		for i, h := range l.chosen() {
			docker := installDocker(boxes[i], net, l.images())
			s.stacks.lock = docker.Lock(l.images()...)
			if ip, err := netip.ParseAddr(h.Address); err == nil {
				if _, err := net.Place(boxes[i], docker, ip); err != nil {
					return nil, err
				}
			}
		}
		for _, box := range boxes {
			ca := stepcatest.Install(box)
			s.authority = func(c *stepca.Config) { c.Step, c.StepCA = ca.Step(), ca.StepCA() }
		}
	}
	if l.K3s != nil {
		cluster := nodetest.NewCluster(l.K3s.Version)
		for i, h := range l.chosen() {
			cluster.Install(boxes[i], h.Address)
		}
		s.nodes = func(c *k3s.Config) { c.Binaries = cluster.Binaries(c.Version) }
	}
	if l.Cluster != nil {
		front := k3stest.Serve(k3stest.WithHelm(k3stest.NewServer(), definitions()))
		closers = append(closers, func() error { front.Close(); return nil })
		s.api = func(k3s.Access) *kube.Cluster { return front.Cluster() }
	}
	if l.Postgres != nil && l.databaseElsewhere() == "" {
		if s.database, err = l.sandboxDatabase(ctx); err != nil {
			return nil, err
		}
		closers = append(closers, s.database.close)
	}
	if l.Forge != nil {
		if s.forge, err = sandboxGitea(); err != nil {
			return nil, err
		}
	}
	if l.Vault != nil {
		if s.vault, err = l.sandboxVault(s.stacks, s.database, s.forge); err != nil {
			return nil, err
		}
	}
	if l.Edge != nil {
		if s.edge, err = l.sandboxEdge(); err != nil {
			return nil, err
		}
		closers = append(closers, func() error { s.edge.close(); return nil })
	}
	return s, nil
}

// sandboxMachine returns a machine of the sandbox as it is reached. The boundary allows loopback
// only, so that nothing else can be touched.
func sandboxMachine(h *inventory.Host, box *hosttest.Machine) *host.Machine {
	return &host.Machine{Environment: sandboxName, Target: ssh.Target{
		Name: h.Name, Address: box.Addr(), User: box.User(), Boundary: &lab.Boundary{Name: sandboxName},
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}},
	}}
}

// definitions are the kinds that charts bring which the lab has objects of.
func definitions() map[string][]*unstructured.Unstructured {
	const namespaced, cluster = true, false
	define := k3stest.Definition
	return map[string][]*unstructured.Unstructured{
		"cert-manager": {define("cert-manager.io/v1", "Certificate", namespaced)},
		"step-issuer":  {define("certmanager.step.sm/v1beta1", "StepClusterIssuer", cluster)},
		"longhorn": {define("longhorn.io/v1beta2", "Setting", namespaced),
			define("longhorn.io/v1beta2", "BackupTarget", namespaced)},
		"traefik":              {define("traefik.io/v1alpha1", "TLSStore", namespaced), define("traefik.io/v1alpha1", "Middleware", namespaced)},
		"argo-cd":              {define("argoproj.io/v1alpha1", "Application", namespaced)},
		"argocd-image-updater": {define("argocd-image-updater.argoproj.io/v1alpha1", "ImageUpdater", namespaced)},
	}
}

// installDocker gives a machine of the sandbox a docker that can pull the images.
func installDocker(box *hosttest.Machine, net *dnstest.Network, names []string) *composetest.Docker {
	var images []composetest.Image
	for _, name := range names {
		images = append(images, composetest.Image{Name: name})
	}
	dockertest.Install(box)
	return composetest.Install(box, composetest.Config{Registry: images, Programs: net.Programs()})
}
