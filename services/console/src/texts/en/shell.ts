export const shell = {
  skip: "Skip to the content",
  menu: "Menu",
  navigation: "Screens",
  account: "Account",
  signOut: "Sign out",
  role: { viewer: "Viewer", operator: "Operator", admin: "Administrator" },
};
