export const code = {
  title: (code: string) => `Code ${code}`,
};
