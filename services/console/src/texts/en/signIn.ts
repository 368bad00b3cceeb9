export const signIn = {
  title: "Sign in to Rollcall",
  operator: "Operator",
  password: "Password",
  submit: "Sign in",
};
