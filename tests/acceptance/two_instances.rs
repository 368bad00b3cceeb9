//! One certificate on two instances: a device on each, and nothing of one reaches the other.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder},
    fleet::Instance,
    nats::{NatsServer, UP},
    operator::Operator,
    up::Up,
};

#[test]
fn f33_f36_the_same_certificate_registers_on_each_instance_and_stays_there() {
    let nats = NatsServer::start();
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = [Instance::new("north", &ca.pair.certificate), Instance::new("south", &ca.pair.certificate)];
    let up = Up::on_nats(folder, &instances, &nats);
    let shared = ca.quick_device(up.folder(), "truck-1");
    let other = ca.quick_device(up.folder(), "truck-2");
    let mut north = up.target("north.test").paho(&shared, &PahoOptions::default());
    let mut south = up.target("south.test").paho(&shared, &PahoOptions::default());
    let mut listener = up.target("south.test").paho(&other, &PahoOptions::default());
    for (paho, id) in [(&north, "truck_truck-1"), (&south, "truck_truck-1"), (&listener, "truck_truck-2")] {
        assert_eq!(paho.accepted().as_deref(), Some(id), "one session for each device of each instance");
    }
    assert_eq!(listener.subscribe("shared/#")["codes"][0], 1);
    assert_eq!(north.publish_acknowledged("shared/topic", "from north")["code"], 0);
    assert_eq!(north.publish_acknowledged("$oc/devices/truck_truck-1/sys/messages/up", "up north")["code"], 0);
    assert_eq!(south.publish_acknowledged("shared/topic", "from south")["code"], 0);
    listener.message("from south");
    assert!(listener.said().iter().all(|event| event["payload"] != "from north"), "{:?}", listener.said());
    let operator = Operator::on_nats(&nats.login(UP));
    operator.uplinks("north").expect("truck_truck-1", "up north");
    // A command to the device of one instance reaches only that one.
    operator.send_down("north", "truck_truck-1", "$oc/devices/truck_truck-1/sys/messages/down", "down north");
    operator.send_down("south", "truck_truck-1", "$oc/devices/truck_truck-1/sys/messages/down", "down south");
    north.message("down north");
    south.message("down south");
    for (paho, foreign) in [(&north, "down south"), (&south, "down north")] {
        assert!(paho.said().iter().all(|event| event["payload"] != foreign));
    }
    for instance in ["north", "south"] {
        assert_eq!(operator.registrations(instance).get("truck_truck-1"), Some(&1));
    }
}
