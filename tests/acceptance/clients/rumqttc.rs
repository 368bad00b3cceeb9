//! rumqttc as its manual shows it: options as one JSON argument, what happens as JSON lines on standard output. `python.py`
//! says what the scenarios are.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what happens is said to the test")]

use std::{thread, time::Duration};

use rumqttc::{
    Client, Event, LastWill, MqttOptions, Outgoing, Packet, PublishOptions, QoS, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use serde_json::{Value, json};

/// Before the next try to connect, as in its examples.
const RETRY_DELAY: Duration = Duration::from_secs(1);

fn main() {
    let argument = std::env::args().nth(1).expect("options in JSON");
    let options: Value = serde_json::from_str(&argument).expect("options in JSON");
    let text = |name: &str| options[name].as_str().unwrap_or_default().to_owned();
    let file = |name: &str| std::fs::read(text(name)).expect("a PEM file");
    let (scenario, topic, count) = (text("scenario"), text("topic"), options["count"].as_u64().unwrap_or_default());

    let port = options["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    let mut settings = MqttOptions::new(text("client_id"), (text("host"), port));
    settings.set_keep_alive(5).set_clean_session(options["keep"] != true);
    settings.set_transport(Transport::Tls(TlsConfiguration::Simple {
        ca: file("server_ca"),
        alpn: None,
        client_auth: Some((file("certificate"), file("key"))),
    }));
    if scenario == "will" {
        settings.set_last_will(LastWill::new(topic.as_str(), "gone", QoS::AtLeastOnce, false));
    }
    let (client, mut connection) = Client::builder(settings).capacity(10).build();

    if scenario == "leave" || scenario == "burst" {
        let (client, scenario, topic) = (client.clone(), scenario.clone(), topic.clone());
        let qos = if scenario == "burst" { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        thread::spawn(move || {
            for number in 0..count {
                let payload = format!("{scenario}-{number}");
                client.publish(topic.as_str(), payload, PublishOptions::new(qos)).expect("a running event loop");
            }
            if qos == QoS::AtMostOnce {
                client.disconnect().expect("a running event loop");
            }
        });
    }
    let leave = || client.try_disconnect().expect("room for a request");
    let (mut acknowledged, mut leaving) = (0, scenario == "leave");
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                say(&json!({"event": "connected", "session_present": connack.session_present}));
                match scenario.as_str() {
                    "subscribe" | "listen" => {
                        client.try_subscribe(topic.as_str(), QoS::AtLeastOnce).expect("room for a request");
                    }
                    "connect" => (leaving, _) = (true, leave()),
                    _ => {}
                }
            }
            Ok(Event::Incoming(Packet::SubAck(suback))) => {
                let granted = match suback.return_codes.first() {
                    Some(SubscribeReasonCode::Success(qos)) => *qos as i64,
                    _ => -1,
                };
                say(&json!({"event": "subscribed", "granted": granted}));
                if scenario == "subscribe" {
                    (leaving, _) = (true, leave());
                }
            }
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                acknowledged += 1;
                if scenario == "burst" && acknowledged == count {
                    (leaving, _) = (true, leave());
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let (topic, payload) = (String::from_utf8_lossy(&publish.topic), String::from_utf8_lossy(&publish.payload));
                say(&json!({"event": "message", "topic": topic, "payload": payload}));
                if scenario == "command" {
                    let command: Value = serde_json::from_str(&payload).expect("a command");
                    let answer = json!({"result_code": 0, "response_name": "DONE", "paras": command["paras"]});
                    let to = topic.replace("/commands/", "/commands/response/");
                    let options = PublishOptions::new(QoS::AtMostOnce);
                    client.try_publish(to, answer.to_string(), options).expect("room for a request");
                }
                if scenario == "command" || payload == "last" {
                    (leaving, _) = (true, leave());
                }
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) if leaving => return,
            Err(error) => {
                eprintln!("{error}");
                thread::sleep(RETRY_DELAY);
            }
        }
    }
}

fn say(event: &Value) {
    println!("{event}");
}
