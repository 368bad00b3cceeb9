"""The whole job of an operator's script against Rollcall, with the official SDK: from an empty instance to a device that
registered itself, was sent messages and commands, and was frozen."""

import json

from huaweicloudsdkiotda.v5 import *

from scene import FOLDER, SCENE, Device, authority, client, equal, issued, mosquitto_pub, openssl, refused, step, until

iot = client(derived=SCENE.get("derived", False))
instance = SCENE["instance"]

step("a resource space, a product, a policy, a template")
app = iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name="vehicles")))
equal((app.app_name, app.default_app), ("vehicles", True), "the first space is the default one")
capability = ServiceCapability(
    service_id="engine", service_type="engine",
    properties=[ServiceProperty(property_name="rpm", data_type="int", required=False, method="RW", min="0", max="9000")],
    commands=[ServiceCommand(command_name="START", paras=[ServiceCommandPara(para_name="key", data_type="string", max_length=10)])])
product = iot.create_product(CreateProductRequest(instance_id=instance, body=AddProduct(
    product_id="truck", name="Truck", device_type="Vehicle", protocol_type="MQTT", data_format="json",
    service_capabilities=[capability], app_id=app.app_id)))
equal((product.product_id, product.app_name), ("truck", "vehicles"))
equal(product.service_capabilities[0].properties[0].property_name, "rpm")
policy = iot.create_device_policy(CreateDevicePolicyRequest(instance_id=instance, body=CreateDevicePolicy(
    policy_name="own_topics", app_id=app.app_id, statement=[Statement(
        effect="ALLOW", actions=["iotda:devices:publish", "iotda:devices:subscribe"], resources=["topic:own/${devices.deviceId}/*"])])))
template = iot.create_provisioning_template(CreateProvisioningTemplateRequest(instance_id=instance, body=CreateProvisioningTemplate(
    template_name="by_common_name", description="node id from CN", template_body=ProvisioningTemplateBody(
        parameters={"iotda::certificate::common_name": {"type": "String"}, "iotda::certificate::organization": {"type": "String"}},
        resources={"device": {"node_id": {"ref": "iotda::certificate::common_name"}, "device_name": {"ref": "iotda::certificate::common_name"},
                              "product_id": "truck",
                              "tags": [{"tag_key": "maker", "tag_value": {"ref": "iotda::certificate::organization"}}]},
                   "policy": {"policy_ids": [policy.policy_id]}}))))
named = iot.list_provisioning_templates(ListProvisioningTemplatesRequest(instance_id=instance, template_name="by_common_name"))
equal([found.template_id for found in named.templates], [template.template_id])

step("a CA certificate: uploaded, verified, bound, enabled")
pem = authority("sdk-ca")
ca = iot.add_certificate(AddCertificateRequest(instance_id=instance, body=CreateCertificateDTO(content=pem, app_id=app.app_id)))
equal((ca.status, ca.provision_enable), (False, False))
stranger = authority("stranger")
wrong = issued("stranger", "wrong-proof", f"/CN={ca.verify_code}")
check = lambda content: iot.check_certificate(CheckCertificateRequest(
    instance_id=instance, certificate_id=ca.certificate_id, action_id="verify", body=VerifyCertificateDTO(verify_content=content)))
refused(lambda: check(wrong), 400, "IOTDA.014308")
refused(lambda: check(issued("sdk-ca", "wrong-code", "/CN=guessed")), 400, "IOTDA.014307")
check(issued("sdk-ca", "proof", f"/CN={ca.verify_code}"))
update = lambda body: iot.update_certificate(UpdateCertificateRequest(instance_id=instance, certificate_id=ca.certificate_id, body=body))
refused(lambda: update(UpdateCertificateDTO(provision_enable=True)), 400, "IOTDA.014927")
bound = update(UpdateCertificateDTO(provision_enable=True, template_id=template.template_id))
equal((bound.status, bound.provision_enable, bound.template_id), (True, True, template.template_id))
unchanged = update(UpdateCertificateDTO(provision_enable=True))
equal(unchanged.template_id, template.template_id, "an absent template_id leaves the template bound")
unbound = update({"provision_enable": False, "template_id": None})
equal((unbound.template_id, unbound.provision_enable), (None, False), "null unbinds")
update(UpdateCertificateDTO(provision_enable=True, template_id=template.template_id))

step("what a certificate would become")
debugged = iot.check_certificate(CheckCertificateRequest(
    instance_id=instance, certificate_id=ca.certificate_id, action_id="debug",
    body={"verify_content": issued("sdk-ca", "truck-1", "/O=Acme/CN=truck-1")}))
assert "truck_truck-1" in debugged.raw_content.decode(), debugged.raw_content

step("a first connection")
device_id = "truck_truck-1"
report = json.dumps({"services": [{"service_id": "engine", "properties": {"rpm": 700}, "event_time": None}]})
until("the first connection to be let in", lambda: mosquitto_pub("truck-1", f"$oc/devices/{device_id}/sys/properties/report", report))
found = iot.list_devices(ListDevicesRequest(instance_id=instance, node_id="truck-1"))
equal([device.device_id for device in found.devices], [device_id])
shown = iot.show_device(ShowDeviceRequest(instance_id=instance, device_id=device_id))
equal((shown.app_id, shown.product_id, shown.node_id, shown.device_name), (app.app_id, "truck", "truck-1", "truck-1"))
equal([(tag.tag_key, tag.tag_value) for tag in shown.tags], [("maker", "Acme")])
digest = openssl("x509", "-in", "truck-1.crt", "-noout", "-fingerprint", "-sha256").split("=")[1].strip().replace(":", "").lower()
equal((shown.auth_info.auth_type, shown.auth_info.fingerprint), ("CERTIFICATES", digest))
certificates = iot.list_device_certificate(ListDeviceCertificateRequest(instance_id=instance, common_name="truck"))
equal([certificate.fingerprint for certificate in certificates.device_certificates], [digest])
certificate_id = certificates.device_certificates[0].certificate_id
certificate = iot.show_device_certificate(ShowDeviceCertificateRequest(instance_id=instance, certificate_id=certificate_id))
equal(certificate.certificate_pem.split(), (FOLDER / "truck-1.crt").read_text().split(), "the certificate as it was presented")
users = iot.list_device_by_device_certificate(ListDeviceByDeviceCertificateRequest(
    instance_id=instance, certificate_id=certificate_id, body=ListDeviceRequest(limit=10)))
equal([device.device_id for device in users.devices], [device_id])

step("messages: pending until the device is there")
create = lambda **fields: iot.create_message(CreateMessageRequest(instance_id=instance, device_id=device_id, body=DeviceMessageRequest(**fields)))
message = create(message={"k": "v"}, name="greeting")
equal(message.result["status"] if isinstance(message.result, dict) else message.result.status, "PENDING")
device = Device("truck-1", device_id)
delivered = json.loads(device.next("messages/down"))
equal((delivered["content"], delivered["name"], delivered["id"]), ({"k": "v"}, "greeting", message.message_id))
show_message = lambda: iot.show_device_message(ShowDeviceMessageRequest(instance_id=instance, device_id=device_id, message_id=message.message_id))
until("the message to be delivered", lambda: ((status := show_message().status) == "DELIVERED", status))
until("the device to be shown online", lambda: (
    (status := iot.show_device(ShowDeviceRequest(instance_id=instance, device_id=device_id)).status) == "ONLINE", status))
create(message="plain text", payload_format="raw")
equal(device.next("messages/down"), "plain text")
equal(len(iot.list_device_messages(ListDeviceMessagesRequest(instance_id=instance, device_id=device_id)).messages), 2)

step("commands and properties")
command = iot.create_command(CreateCommandRequest(instance_id=instance, device_id=device_id, body=DeviceCommandRequest(
    service_id="engine", command_name="START", paras={"key": "abc"})))
assert command.command_id, command
equal(command.response["paras"]["got"], {"key": "abc"})
properties = iot.list_properties(ListPropertiesRequest(instance_id=instance, device_id=device_id, service_id="engine"))
equal(properties.response["services"][0]["properties"], {"rpm": 900})
written = iot.update_properties(UpdatePropertiesRequest(instance_id=instance, device_id=device_id, body=DevicePropertiesRequest(
    services=[{"service_id": "engine", "properties": {"rpm": 1200}}])))
equal(written.response["result_code"], 0)
equal(json.loads(device.next("properties/set"))["services"][0]["properties"], {"rpm": 1200})

step("the shadow: reported by the device, desired by the operator")
shadow = lambda: iot.show_device_shadow(ShowDeviceShadowRequest(instance_id=instance, device_id=device_id)).shadow
until("the first report to be in the shadow", lambda: (
    bool(seen := [one.reported.properties for one in shadow() if one.reported]) and seen[0].get("rpm") == 700, seen))
device.send("properties/report", {"services": [{"service_id": "engine", "properties": {"rpm": 800}}]})
until("the next report to be in the shadow", lambda: ((seen := shadow()[0].reported.properties)["rpm"] == 800, seen))
version = shadow()[0].version
desire = lambda version: iot.update_device_shadow_desired_data(UpdateDeviceShadowDesiredDataRequest(
    instance_id=instance, device_id=device_id, body=UpdateDesireds(shadow=[UpdateDesired(service_id="engine", desired={"rpm": 1000}, version=version)])))
desire(version)
equal(json.loads(device.next("properties/set"))["services"][0]["properties"], {"rpm": 1000})
equal(shadow()[0].desired.properties, {"rpm": 1000})
refused(lambda: desire(version), 409, "IOTDA.014938")

step("policies and tags")
second = iot.create_device_policy(CreateDevicePolicyRequest(instance_id=instance, body=CreateDevicePolicy(
    policy_name="more_topics", app_id=app.app_id, statement=[Statement(
        effect="ALLOW", actions=["iotda:devices:publish"], resources=["topic:more/*"])])))
outcome = iot.bind_device_policy(BindDevicePolicyRequest(instance_id=instance, policy_id=second.policy_id, body=BindDevicePolicy(
    target_type="device", target_ids=[device_id, "nobody"])))
equal((outcome.success_targets, [one.target_id for one in outcome.failure_targets]), ([device_id], ["nobody"]))
targets = iot.show_targets_in_device_policy(ShowTargetsInDevicePolicyRequest(
    instance_id=instance, policy_id=second.policy_id, body=ShowTargetsInDevicePolicyRequestBody(target_type="device", limit=10)))
equal([target.target_id for target in targets.targets], [device_id])
iot.tag_device(TagDeviceRequest(instance_id=instance, body=BindTagsDTO(
    resource_type="device", resource_id=device_id, tags=[TagV5DTO(tag_key="depot", tag_value="7")])))
searched = iot.search_devices(SearchDevicesRequest(instance_id=instance, body=SearchSql(
    sql="select * from device where tag_key = 'depot' and tag_value = '7' and node_id like 'truck%'")))
equal([one.device_id for one in searched.devices], [device_id])

step("frozen: the session dies, and it is let in again when it is not frozen any more")
iot.freeze_device(FreezeDeviceRequest(instance_id=instance, device_id=device_id))
device.ended.get(timeout=60)
equal(iot.show_device(ShowDeviceRequest(instance_id=instance, device_id=device_id)).status, "FROZEN")
equal(mosquitto_pub("truck-1", "t", "m")[0], False, "a frozen device is refused")
iot.unfreeze_device(UnfreezeDeviceRequest(instance_id=instance, device_id=device_id))
until("the device to be let in again", lambda: mosquitto_pub("truck-1", f"$oc/devices/{device_id}/sys/messages/up", "back"))

step("deleted: it does not come back by itself")
iot.delete_device(DeleteDeviceRequest(instance_id=instance, device_id=device_id))
refused(lambda: iot.show_device(ShowDeviceRequest(instance_id=instance, device_id=device_id)), 404, "IOTDA.014000")
equal(mosquitto_pub("truck-1", "t", "m")[0], False, "a deleted device is refused")
step("done")
