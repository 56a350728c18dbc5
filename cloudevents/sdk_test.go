package cloudevents_test

import _ "github.com/cloudevents/sdk-go/v2"
