package addon

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// Longhorn is the cluster's storage. It is never removed: the data of all volumes would be.
type Longhorn struct {
	Version  string `yaml:"version"`  // of the chart, "1.9.1"; required
	DataPath string `yaml:"dataPath"` // on each node that has the disk: "/mnt/arcodange/longhorn"; required
	Replicas int    `yaml:"replicas"` // of a volume; 0 means 2

	// Settings are those of Longhorn, by name, beside what is set anyway: "auto-salvage": "true". They are kept
	// as objects, since the values of a chart count only when Longhorn is installed.
	Settings map[string]string `yaml:"settings"`
}

// BackupTarget is the bucket into which Longhorn backs volumes up; it speaks S3. Which volumes, and when, the recurring
// jobs of Longhorn say.
type BackupTarget struct {
	URL      string        `yaml:"url"`      // "s3://BUCKET@REGION/"; required
	Endpoint string        `yaml:"endpoint"` // "https://storage.googleapis.com"; empty means AWS
	Poll     time.Duration `yaml:"poll"`     // how often the bucket is looked at; 0 means 5m

	AccessKey lab.Secret `yaml:"-"` // required
	SecretKey lab.Secret `yaml:"-"` // required
}

// LonghornManagers are the field managers of Longhorn itself, for [kube.Spec.TakeOver]: it creates its settings and its
// backup target before they are set.
var LonghornManagers = []string{"longhorn-manager"}

const longhornNamespace = "longhorn-system"

// Validate reports everything that is wrong.
func (l *Longhorn) Validate() error { return l.validate().Err() }

func (l *Longhorn) replicas() int {
	if l.Replicas == 0 {
		return 2
	}
	return l.Replicas
}

func (l *Longhorn) validate() (ps lab.Problems) {
	required(&ps, map[string]string{"version": l.Version})
	if !strings.HasPrefix(l.DataPath, "/") || strings.Trim(l.DataPath, "/") == "" {
		ps = append(ps, lab.Problem{Path: "dataPath", Text: l.DataPath, Message: "is not the path of a directory"})
	}
	if l.replicas() < 1 || l.replicas() > 20 {
		ps.Add("replicas", "%d is not 1 to 20", l.Replicas)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Settings)) {
		if !dnsLabel.MatchString(name) {
			ps = append(ps, lab.Problem{Path: "settings." + name, Message: "is not the name of a setting", Hint: "write it as auto-salvage"})
		}
		if strings.HasPrefix(name, "backup-target") {
			ps.Add("settings."+name, "is set by the add-on of the backup target")
		}
		if name == "deleting-confirmation-flag" && l.Settings[name] == "true" {
			ps.Add("settings."+name, "lets Longhorn be uninstalled, with the data of all volumes: set it by hand when that is meant")
		}
	}
	return ps
}

// Validate reports everything that is wrong.
func (t *BackupTarget) Validate() error { return t.validate().Err() }

func (t *BackupTarget) validate() (ps lab.Problems) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Scheme != "s3" || u.User.Username() == "" || u.Host == "" {
		ps = append(ps, lab.Problem{Path: "url", Text: t.URL, Message: "is not a bucket", Hint: "write s3://BUCKET@REGION/"})
	}
	if t.Endpoint != "" {
		validURL(&ps, "endpoint", t.Endpoint, "https", "http")
	}
	validSecret(&ps, "accessKey", t.AccessKey)
	validSecret(&ps, "secretKey", t.SecretKey)
	if t.Poll < 0 {
		ps.Add("poll", "%s is negative", t.Poll)
	}
	return ps
}

// Objects returns the chart and the settings.
func (l *Longhorn) Objects() ([]kube.Object, error) {
	b := build("longhorn", l.validate())
	chart := b.chart(kube.HelmChart{Name: "longhorn", Chart: "longhorn", Repo: "https://charts.longhorn.io", Version: l.Version,
		Namespace: longhornNamespace, Keep: true, Provides: []string{"longhorn.io"}, Values: map[string]any{
			"defaultSettings": map[string]any{"defaultDataPath": l.DataPath, "createDefaultDiskLabeledNodes": true},
			"persistence": map[string]any{"defaultClass": true, "defaultClassReplicaCount": l.replicas(),
				"reclaimPolicy": "Retain"},
		}})
	settings := map[string]string{
		"default-replica-count":             fmt.Sprint(l.replicas()), // of volumes made in the interface; the class has its own
		"replica-soft-anti-affinity":        "false",
		"node-down-pod-deletion-policy":     "delete-both-statefulset-and-deployment-pod",
		"create-default-disk-labeled-nodes": "true",
		"default-data-path":                 l.DataPath,
	}
	maps.Copy(settings, l.Settings)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		b.add(with(object("longhorn.io/v1beta2", "Setting", longhornNamespace, name), "value", settings[name]), chart)
	}
	return b.objects()
}

const backupSecret = "backup-target"

// Objects returns the target, and a Secret with its keys. Longhorn must be there, or among the objects that they are
// applied with.
func (t *BackupTarget) Objects() ([]kube.Object, error) {
	b := build("backup-target", t.validate())
	keys := map[string]any{"AWS_ACCESS_KEY_ID": t.AccessKey, "AWS_SECRET_ACCESS_KEY": t.SecretKey}
	if t.Endpoint != "" {
		keys["AWS_ENDPOINTS"] = t.Endpoint
	}
	secret := b.add(with(object("v1", "Secret", longhornNamespace, backupSecret), "stringData", keys))
	poll := t.Poll
	if poll == 0 {
		poll = 5 * time.Minute
	}
	b.add(with(object("longhorn.io/v1beta2", "BackupTarget", longhornNamespace, "default"), "spec", map[string]any{
		"backupTargetURL": t.URL, "credentialSecret": backupSecret, "pollInterval": poll.String()}), secret)
	return b.objects()
}
