package k3s

import "strings"

// nodeFlags are the options that k3s server and k3s agent have (pkg/cli/cmds/agent.go).
var nodeFlags = strings.Fields(`
airgap-extra-registry alsologtostderr bind-address container-runtime-endpoint data-dir debug default-runtime
disable-default-registry-endpoint docker enable-pprof flannel-cni-conf flannel-conf flannel-iface
image-credential-provider-bin-dir image-credential-provider-config image-service-endpoint kube-proxy-arg kubelet-arg
lb-server-port log node-external-dns node-external-ip node-internal-dns node-ip node-label node-name node-taint
nonroot-devices pause-image prefer-bundled-bin private-registry protect-kernel-defaults resolv-conf rootless selinux server
snapshotter token token-file v vmodule vpn-auth vpn-auth-file with-node-id`)

// serverFlags are those that k3s server has besides (pkg/cli/cmds/server.go).
var serverFlags = strings.Fields(`
advertise-address advertise-port agent-token agent-token-file cluster-cidr cluster-dns cluster-domain cluster-init
cluster-reset cluster-reset-restore-path datastore-cafile datastore-certfile datastore-endpoint datastore-keyfile
default-local-storage-path disable disable-agent disable-apiserver disable-cloud-controller disable-controller-manager
disable-etcd disable-helm-controller disable-kube-proxy disable-network-policy disable-scheduler egress-selector-mode
embedded-registry etcd-arg etcd-disable-snapshots etcd-expose-metrics etcd-s3 etcd-s3-access-key etcd-s3-bucket
etcd-s3-bucket-lookup-type etcd-s3-config-secret etcd-s3-endpoint etcd-s3-endpoint-ca etcd-s3-folder etcd-s3-insecure
etcd-s3-proxy etcd-s3-region etcd-s3-retention etcd-s3-secret-key etcd-s3-session-token etcd-s3-skip-ssl-verify
etcd-s3-timeout etcd-snapshot-compress etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-reconcile-interval
etcd-snapshot-retention etcd-snapshot-schedule-cron flannel-backend flannel-external-ip flannel-ipv6-masq helm-job-image
https-listen-port kine-tls kube-apiserver-arg kube-cloud-controller-manager-arg kube-controller-manager-arg
kube-scheduler-arg secrets-encryption secrets-encryption-provider service-cidr service-node-port-range
servicelb-namespace supervisor-metrics system-default-registry tls-san tls-san-security write-kubeconfig
write-kubeconfig-group write-kubeconfig-mode`)

// ownFlags are the options that have a field of the [Config], or that would be a way around it.
var ownFlags = map[string]string{
	"server": "address", "docker": "docker", "private-registry": "registries", "disable": "disable", "tls-san": "tlsSANs",
	"resolv-conf": "nameservers", "secrets-encryption": "secretsEncryption", "data-dir": "dataDir", "node-ip": "nodes.NAME.address",
	"node-label": "nodes.NAME.labels", "node-taint": "nodes.NAME.taints", "cluster-init": "servers", "token-file": "",
	"agent-token-file": "", "write-kubeconfig": "", "write-kubeconfig-mode": "", "node-name": "", "with-node-id": "",
	"cluster-reset": "", "cluster-reset-restore-path": "", "rootless": "", "https-listen-port": "",
}

// secretFlags are the options whose value is, or may contain, a secret.
var secretFlags = []string{"token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key",
	"etcd-s3-session-token", "vpn-auth"}

// fixedFlags are the options that cannot be changed while a cluster, or a node, is there: k3s would not start, or would
// run beside the data, the networks or the containers that are there. Each with what it is by default.
var fixedFlags = map[string]string{
	"cluster-cidr": "10.42.0.0/16", "service-cidr": "10.43.0.0/16", "cluster-domain": "cluster.local",
	"data-dir": "/var/lib/rancher/k3s", "datastore-endpoint": "", "secrets-encryption": "false", "docker": "false",
	"flannel-backend": "vxlan", "node-name": "", "with-node-id": "false", "cluster-dns": "", "container-runtime-endpoint": "",
	"https-listen-port": "6443", "agent-token": "", "rootless": "false", "disable-agent": "false",
}
