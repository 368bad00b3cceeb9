export const device = {
  title: "Device",
  status: { ONLINE: "Online", OFFLINE: "Offline", INACTIVE: "Never connected", FROZEN: "Frozen", ABNORMAL: "Abnormal" },
};
