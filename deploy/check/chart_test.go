package check_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	yaml3 "go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write deploy/kubernetes/replhub.yaml")

const (
	chartDir  = "../helm/replhub"
	manifests = "../kubernetes/replhub.yaml"
)

// given are values with which the chart is rendered.
type given struct {
	name   string
	values string
	// objects is how many there are of each kind.
	objects map[string]int
}

func cases() []given {
	return []given{
		{"defaults", ``, map[string]int{"Deployment": 1, "ServiceAccount": 1, "PodDisruptionBudget": 1}},
		{"one hub", `hub: {replicas: 1, antiAffinity: ""}`, map[string]int{"Deployment": 1, "ServiceAccount": 1}},
		{"everything", everything, map[string]int{
			"Deployment": 4, "ConfigMap": 3, "ServiceAccount": 1, "PodDisruptionBudget": 1, "Service": 1, "ServiceMonitor": 1, "PrometheusRule": 1,
		}},
	}
}

const everything = `
image: {repository: registry.example/replhub, tag: v1, pullPolicy: Always}
imagePullSecrets: [{name: pull}]
nats:
  url: tls://nats-0:4222,tls://nats-1:4222
  credsSecret: {name: hub-creds, key: hub.creds}
  tls: {secretName: nats-tls, clientCert: true}
zookeeper:
  servers: zk-0:2181,zk-1:2181
  authSecret: {name: zk, key: auth}
hub:
  replicas: 3
  antiAffinity: required
  settings: {HISTORY: 48h, INGEST_MAX_BYTES: 8GiB, REPLICAS: 3, LOG_FORMAT: text}
  nodeSelector: {disk: ssd}
  tolerations: [{key: a, operator: Exists}]
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  podAnnotations: {a: b}
  podLabels: {c: d}
http: {tokenSecret: {name: http-token, key: token}, tlsSecretName: http-tls, console: operate}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true}
capture:
  - name: user-profile
    replicas: 2
    databaseSecret: {name: owner, key: dsn}
    natsCredsSecret: {name: capture-nats, key: nats.creds}
    config: {table: [public.users=user], exclude: [public.users.password_hash]}
apply:
  - name: sharing
    databaseSecret: {name: replica, key: dsn}
    config: {table: [user=people], start: snapshot}
push:
  - name: billing
    signingSecret: {name: hook, key: secret}
    config: {url: https://example.com/hook, entity: [user]}
`

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	v := make(map[string]any)
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// render is helm template.
func render(t *testing.T, text string) (string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{Log: t.Logf})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace = "replhub", "replhub"
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.30.0", Major: "1", Minor: "30"}
	release, err := install.Run(chart, values(t, text))
	if err != nil {
		return "", err
	}
	return release.Manifest, nil
}

// The chart passes helm lint, warnings included.
func TestLint(t *testing.T) {
	for _, c := range cases() {
		result := lint.All(chartDir, values(t, c.values), "replhub", true)
		for _, m := range result.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", c.name, m)
			}
		}
	}
}

// What the chart makes is what the Kubernetes API takes: no unknown and no twofold field,
// and pods that are not root.
func TestTemplates(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			text, err := render(t, c.values)
			if err != nil {
				t.Fatal(err)
			}
			kinds := make(map[string]int)
			for _, object := range decode(t, text) {
				kinds[object.kind]++
				judge(t, object)
			}
			for kind, n := range c.objects {
				if kinds[kind] != n {
					t.Errorf("%d of %s, want %d", kinds[kind], kind, n)
				}
				delete(kinds, kind)
			}
			if len(kinds) > 0 {
				t.Errorf("and %v", kinds)
			}
		})
	}
}

// Wrong values are refused, with their name.
func TestWrongValues(t *testing.T) {
	for text, want := range map[string]string{
		`hub: {replica: 2}`:                             "replica",
		`hub: {replicas: 0}`:                            "replicas",
		`nats: {url: "nats://user:password@nats:4222"}`: "url",
		`http: {console: admin}`:                        "console",
		`serviceMonitor: {enabled: true}`:               "tokenSecret",
		`capture: [{name: a, config: {}}]`:              "databaseSecret",
		`apply: [{name: a, databaseSecret: {name: s, key: k}, config: {dsn: "postgres://u:p@h/d"}}]`: "config",
	} {
		if _, err := render(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
}

// object is one of the documents of a manifest.
type object struct {
	kind string
	text string
	// typed is nil for kinds that are not Kubernetes' own.
	typed runtime.Object
}

func decode(t *testing.T, text string) []object {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var objects []object
	for _, document := range regexp.MustCompile(`(?m)^---\s*$`).Split(text, -1) {
		var meta struct {
			APIVersion, Kind string
			Metadata         struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &meta); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if meta.Kind == "" {
			if strings.TrimSpace(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(document, "")) != "" {
				t.Errorf("a document without a kind:\n%s", document)
			}
			continue
		}
		if !regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`).MatchString(meta.Metadata.Name) || len(meta.Metadata.Name) > 63 {
			t.Errorf("%s has the name %q", meta.Kind, meta.Metadata.Name)
		}
		o := object{kind: meta.Kind, text: document}
		if !strings.HasPrefix(meta.APIVersion, "monitoring.coreos.com/") {
			typed, _, err := strict.Decode([]byte(document), nil, nil)
			if err != nil {
				t.Errorf("%s %s: %v", meta.Kind, meta.Metadata.Name, err)
				continue
			}
			o.typed = typed
		}
		objects = append(objects, o)
	}
	return objects
}

func judge(t *testing.T, o object) {
	t.Helper()
	switch typed := o.typed.(type) {
	case *appsv1.Deployment:
		judgeDeployment(t, typed)
	case *policyv1.PodDisruptionBudget:
		if typed.Spec.MaxUnavailable == nil {
			t.Error("a PodDisruptionBudget without maxUnavailable")
		}
	case nil:
		if o.kind == "PrometheusRule" {
			judgeRules(t, o.text)
		}
	}
}

func judgeDeployment(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	for name, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[name] != value {
			t.Errorf("%s selects pods that it does not make", d.Name)
		}
	}
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		t.Errorf("%s runs as root, or without a profile", d.Name)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("%s gets a token of the cluster", d.Name)
	}
	volumes := make(map[string]bool)
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: the security context is too wide", d.Name)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil {
			t.Errorf("%s has no probes", d.Name)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s has no memory limit", d.Name)
		}
		mounts := make(map[string]bool)
		for _, m := range c.VolumeMounts {
			mounts[m.Name] = true
			if !volumes[m.Name] || !m.ReadOnly {
				t.Errorf("%s mounts %s, which there is not, or to write", d.Name, m.Name)
			}
		}
		if len(mounts) != len(volumes) {
			t.Errorf("%s has volumes that nothing mounts", d.Name)
		}
		judgeCommand(t, d.Name, c)
	}
}

// judgeRules holds that the rules are those of deploy/prometheus.
func judgeRules(t *testing.T, text string) {
	t.Helper()
	var rule struct {
		Spec struct {
			Groups []map[string]any `yaml:"groups"`
		} `yaml:"spec"`
	}
	if err := yaml3.Unmarshal([]byte(text), &rule); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("../prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(filepath.Join(chartDir, "files", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(own) != string(copied) {
		t.Error("deploy/helm/replhub/files/alerts.yml is not deploy/prometheus/alerts.yml: copy it")
	}
	if len(rule.Spec.Groups) < 4 {
		t.Errorf("the PrometheusRule has %d groups", len(rule.Spec.Groups))
	}
}

// The settings of each ConfigMap are ones that the command takes.
func TestConfigOfBridges(t *testing.T) {
	text, err := render(t, everything)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, o := range decode(t, text) {
		config, ok := o.typed.(*corev1.ConfigMap)
		if !ok {
			continue
		}
		checked++
		kind := config.Labels["app.kubernetes.io/component"]
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(config.Data["config.yaml"]), 0o600); err != nil {
			t.Fatal(err)
		}
		args := map[string][]string{"capture": {"capture", "postgres", "--service", "s"}, "apply": {"apply", "s"}, "push": {"push", "s"}}[kind]
		runsOrLacksServers(t, config.Name, append(args, "--config", file), map[string]string{
			"NATS_URL": "", "REPLHUB_PUSH_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "DATABASE_URL": "postgres://127.0.0.1:1/x",
		})
	}
	if checked != 3 {
		t.Errorf("%d configurations", checked)
	}
}

// The plain manifests are what the chart makes with its defaults.
func TestPlainManifests(t *testing.T) {
	text, err := render(t, ``)
	if err != nil {
		t.Fatal(err)
	}
	head := `# Two hubs in the namespace replhub, which use the NATS service of that namespace.
# Made from the chart in deploy/helm: cd deploy/check && go test -run Plain -update .
#
#   kubectl create namespace replhub
#   kubectl apply --namespace replhub -f deploy/kubernetes/replhub.yaml
`
	want := head + regexp.MustCompile(`(?m)^# Source: .*\n|^\s+(helm.sh/chart|app.kubernetes.io/managed-by): .*\n`).ReplaceAllString(text, "")
	if *update {
		if err := os.WriteFile(manifests, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(manifests)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("deploy/kubernetes/replhub.yaml is out of date; run: cd deploy/check && go test -run Plain -update .")
	}
	for _, o := range decode(t, string(have)) {
		judge(t, o)
	}
}
