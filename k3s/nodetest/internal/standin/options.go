package standin

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The options that are read here. Whatever else k3s has is accepted and has no effect.
var (
	bools = strings.Fields(`
docker cluster-init cluster-reset secrets-encryption disable-agent prefer-bundled-bin debug selinux
embedded-registry etcd-expose-metrics etcd-disable-snapshots disable-network-policy disable-cloud-controller
disable-kube-proxy disable-helm-controller flannel-ipv6-masq flannel-external-ip protect-kernel-defaults
rootless with-node-id`)
	ofNode = strings.Fields(`
bind-address container-runtime-endpoint data-dir default-runtime flannel-conf flannel-iface
image-service-endpoint kube-proxy-arg kubelet-arg lb-server-port node-external-ip node-ip node-label node-name
node-taint pause-image private-registry resolv-conf server snapshotter token token-file vpn-auth-file`)
	ofAll = strings.Fields(`
docker prefer-bundled-bin debug selinux protect-kernel-defaults rootless with-node-id`)
	servers = strings.Fields(`
advertise-address advertise-port agent-token agent-token-file cluster-cidr cluster-dns cluster-domain
cluster-reset-restore-path datastore-endpoint default-local-storage-path disable egress-selector-mode etcd-arg
etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-retention etcd-snapshot-schedule-cron flannel-backend
https-listen-port kube-apiserver-arg kube-controller-manager-arg kube-scheduler-arg service-cidr
service-node-port-range system-default-registry tls-san write-kubeconfig write-kubeconfig-group
write-kubeconfig-mode`)
)

// environment are the variables that k3s reads, with the options that they stand for.
var environment = map[string]string{"K3S_TOKEN": "token", "K3S_TOKEN_FILE": "token-file", "K3S_URL": "server",
	"K3S_NODE_NAME": "node-name", "K3S_DATA_DIR": "data-dir", "K3S_AGENT_TOKEN": "agent-token", "K3S_AGENT_TOKEN_FILE": "agent-token-file"}

// options are what a node was given, by name.
type options map[string][]string

func (o options) get(name, otherwise string) string {
	if v := o[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return otherwise
}

// readOptions returns the options of a role: those of the file, which those of the command line override, or are
// appended to where there may be several; the environment counts where neither says anything.
func readOptions(role string, args []string, file []byte, env func(string) string) (options, error) {
	var words []string
	document := map[string]any{}
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, fmt.Errorf("config.yaml: %w", err)
	}
	for name, value := range document {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, v := range values {
			words = append(words, "--"+name+"="+fmt.Sprint(v))
		}
	}
	o := options{}
	for i := 0; i < len(words)+len(args); i++ {
		word := ""
		if i < len(words) {
			word = words[i]
		} else {
			word = args[i-len(words)]
		}
		name, ok := strings.CutPrefix(word, "--")
		if !ok {
			return nil, fmt.Errorf("unexpected argument %q", word)
		}
		name, value, given := strings.Cut(name, "=")
		known := slices.Contains(ofNode, name) || slices.Contains(ofAll, name) ||
			role == "server" && (slices.Contains(servers, name) || slices.Contains(bools, name))
		if !known {
			return nil, fmt.Errorf("flag provided but not defined: -%s", name)
		}
		if !given && slices.Contains(bools, name) {
			value = "true"
		} else if !given {
			if i++; i < len(words) || i-len(words) >= len(args) {
				return nil, fmt.Errorf("flag needs an argument: -%s", name)
			}
			value = args[i-len(words)]
		}
		o[name] = append(o[name], value)
	}
	for variable, name := range environment {
		if v := env(variable); v != "" && o[name] == nil {
			o[name] = []string{v}
		}
	}
	return o, nil
}
